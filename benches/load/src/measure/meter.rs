//! Both ends and the kernel between them, at one moment.

use super::{Kernel, MeasureError, Process, Usage};

/// Looks at the generator, at the server if it runs here, and at the kernel.
#[derive(Clone, Debug)]
pub struct Meter {
    own: Process,
    server: Option<Process>,
}

/// All that can be measured at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mark {
    /// The moment, on the generator's clock in µs.
    pub at_us: u64,
    /// The server; `None` if it runs elsewhere or has ended.
    pub server: Option<Usage>,
    /// The generator's process that looks.
    pub generator: Usage,
    /// The kernel; `None` where it does not say.
    pub kernel: Option<Kernel>,
}

impl Mark {
    /// What the server had used at this moment and at a `later` one. `None` if one of them is not
    /// known, or if it is another process by then: it was restarted.
    #[must_use]
    pub fn servers(&self, later: &Self) -> Option<(Usage, Usage)> {
        self.server.zip(later.server).filter(|(before, after)| before.pid == after.pid)
    }
}

impl Meter {
    /// Measures this process, and `server` if it is known.
    ///
    /// # Errors
    ///
    /// If this process cannot be measured: there is no `/proc`.
    pub fn new(server: Option<Process>) -> Result<Self, MeasureError> {
        Ok(Self { own: Process::own()?, server })
    }

    /// Measures another server from now on: it was restarted.
    pub fn watch(&mut self, server: Option<Process>) {
        self.server = server;
    }

    /// Everything, exactly; to be taken before and after what is measured.
    #[must_use]
    pub fn mark(&self, now_us: u64) -> Mark {
        self.look(now_us, Process::usage)
    }

    /// Everything, cheaply; to be taken once a second.
    #[must_use]
    pub fn glance(&self, now_us: u64) -> Mark {
        self.look(now_us, Process::glance)
    }

    fn look(&self, at_us: u64, usage: fn(&Process) -> Result<Usage, MeasureError>) -> Mark {
        Mark {
            at_us,
            server: self.server.as_ref().and_then(|server| usage(server).ok()),
            generator: usage(&self.own).unwrap_or_default(),
            kernel: Kernel::now().ok(),
        }
    }
}
