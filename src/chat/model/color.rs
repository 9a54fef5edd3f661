//! The colours among which users choose one for their names.

/// A hue. Clients choose a shade of it that can be read where a name stands, in light and in dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// The user has chosen none: clients make one of the name, or have one for all.
    #[default]
    Unchosen,
    /// 20° of the colour wheel; the others follow, 45° apart.
    Red,
    /// 65°.
    Orange,
    /// 110°.
    Yellow,
    /// 155°.
    Green,
    /// 200°.
    Teal,
    /// 245°.
    Blue,
    /// 290°.
    Purple,
    /// 335°.
    Pink,
}

impl Color {
    /// All that may be chosen, and that none is.
    pub const ALL: [Self; 9] = [
        Self::Unchosen,
        Self::Red,
        Self::Orange,
        Self::Yellow,
        Self::Green,
        Self::Teal,
        Self::Blue,
        Self::Purple,
        Self::Pink,
    ];

    /// The word that stands in the protocol, empty for none.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unchosen => "",
            Self::Red => "red",
            Self::Orange => "orange",
            Self::Yellow => "yellow",
            Self::Green => "green",
            Self::Teal => "teal",
            Self::Blue => "blue",
            Self::Purple => "purple",
            Self::Pink => "pink",
        }
    }

    /// The colour of this name, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|color| color.name() == name)
    }
}
