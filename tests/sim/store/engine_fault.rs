//! Faults that are planted in the shared engine: each breaks one promise of the boundary between
//! nodes.

macro_rules! engine_faults {
    ($($(#[$doc:meta])* $variant:ident,)+) => {
        /// What is broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum EngineFault {
            $($(#[$doc])* $variant,)+
        }

        impl EngineFault {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)+];
        }
    };
}

engine_faults! {
    /// A node is told another's record twice.
    GrownDoubled,
    /// A node is told two records in the wrong order.
    GrownSwapped,
    /// A node is not told of a record.
    RecordLost,
    /// A log begins anew, and the nodes are not told.
    MissedEpoch,
    /// A repeated message is answered with the seq of another one.
    OtherDuplicate,
    /// A record is taken under rights that another node has changed.
    StaleRights,
    /// A node is told of nothing that others do.
    StuckListener,
    /// Logs lose with a primary what was shown, and their epochs stay.
    EpochKept,
    /// A node that could not listen for a while is not told again who is where.
    NeverToldAgain,
    /// A name that a room had leads to it no more, and is free.
    NameFreed,
    /// A node is not told what users say of themselves.
    PeopleForgotten,
    /// The engine knows nothing of sessions that could be resumed.
    SessionForgotten,
}
