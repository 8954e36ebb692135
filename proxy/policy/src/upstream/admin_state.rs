//! What is wanted of an upstream: its administrative state, apart from what is believed of it (`health`).
//!
//! The file says it, and an operator's wish says otherwise. The words are those of httpd's status flags where it has one:
//! `+H` is standby, `+N` finishing, `+D` disabled, `+S` stopped.

/// What an owner wants of an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdminState {
    /// It serves.
    #[default]
    Active,
    /// It serves new users, and the users of others, when nobody active does. Its own stay.
    Standby,
    /// Its own users stay, and nobody new comes.
    Finishing,
    /// Its users leave with their next request.
    Draining,
    /// Nobody is sent there, whatever becomes of the others. It is checked.
    Disabled,
    /// As disabled, and not even checked.
    Stopped,
}

impl AdminState {
    /// All of them, in the order in which they take users away.
    pub const ALL: [AdminState; 6] = [
        AdminState::Active,
        AdminState::Standby,
        AdminState::Finishing,
        AdminState::Draining,
        AdminState::Disabled,
        AdminState::Stopped,
    ];

    /// The word in files, commands and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            AdminState::Active => "active",
            AdminState::Standby => "standby",
            AdminState::Finishing => "finishing",
            AdminState::Draining => "draining",
            AdminState::Disabled => "disabled",
            AdminState::Stopped => "stopped",
        }
    }

    /// The state of this word.
    #[must_use]
    pub fn named(word: &str) -> Option<AdminState> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// The words, for people who wrote another one.
    #[must_use]
    pub fn words() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }

    /// Whether its users are wanted elsewhere, sooner or later.
    #[must_use]
    pub fn is_drain(self) -> bool {
        matches!(self, AdminState::Finishing | AdminState::Draining)
    }

    /// Whether its users have to leave: also those who wait for nothing, as in a tunnel.
    #[must_use]
    pub fn sends_away(self) -> bool {
        matches!(
            self,
            AdminState::Draining | AdminState::Disabled | AdminState::Stopped
        )
    }

    /// How it stands to a request of its own user. One that is finishing keeps those who have a session.
    pub(super) fn to_its_own(self, has_session: bool) -> AdminState {
        match self {
            AdminState::Standby => AdminState::Active,
            AdminState::Finishing if has_session => AdminState::Active,
            state => state,
        }
    }
}
