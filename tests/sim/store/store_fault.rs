//! Faults that are planted in the store: each breaks one promise of the boundary.

macro_rules! store_faults {
    ($($(#[$doc:meta])* $variant:ident,)+) => {
        /// What is broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum StoreFault {
            $($(#[$doc])* $variant,)+
        }

        impl StoreFault {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)+];
        }
    };
}

store_faults! {
    /// An append is answered before it is committed, and a crash takes it back.
    AnsweredBeforeCommit,
    /// An append is answered although its batch failed.
    AnsweredThoughFailed,
    /// An append is refused although it was stored.
    RefusedThoughStored,
    /// After a crash the last seq is given again.
    SeqReused,
    /// A page skips a record.
    HoleInPage,
    /// A page has a record twice.
    DoubledInPage,
    /// A page shows the log as it was before, and says that it is the present one.
    StalePage,
    /// What was sent before a crash is not known after it.
    ForgottenCids,
    /// A log is lost in a crash, and its epoch stays.
    EpochKept,
    /// The machine is lost, a log of level `os` is cut, and its epoch stays.
    MachineEpochKept,
    /// A fact that was safe is lost in a crash.
    FactLost,
    /// Marks go back in a crash.
    MarksBack,
    /// An append is never answered.
    AnswerLost,
    /// Two appends are answered in the wrong order.
    AnswersSwapped,
    /// A deleted message keeps its text.
    DeletionNotErased,
    /// An edited message keeps its first text.
    EditNotApplied,
    /// Unread messages are counted with one's own.
    OwnCounted,
}
