//! What clients prove: secrets into hashes, and those into identities.

use super::input::Session;
use crate::auth::secret;
use crate::chat::model::account::Extra;
use crate::chat::model::output::Request;
use crate::chat::{Code, Command, Refusal};

impl Session<'_, '_> {
    /// Hands a request to the domain that brings secrets, or makes some.
    pub(super) fn account_request(&mut self, request: Request, command: Command<'_>) {
        let (now, conn) = (self.turn.now, self.state.conn);
        let Some(bits) = self.context.entropy.bits() else {
            let refusal = Refusal::new(Code::Internal, "the system has no random numbers to give");
            return self.answer(&request, &Err(refusal));
        };
        let (word, given) = match &command {
            Command::InviteLink { .. } => (secret::INVITE, None),
            Command::Register { invite, .. } => (secret::LOGIN, invite.as_ref()),
            Command::Accept { invite } => (secret::LOGIN, Some(invite)),
            _ => (secret::LOGIN, None),
        };
        let words = [secret::INVITE, secret::ADMIN];
        let extra = Extra {
            new: secret::make(word, bits),
            given: given.and_then(|given| secret::hash(given.reveal(), &words)),
            address: self.context.addresses.get(&conn).copied(),
        };
        self.turn.chat.handle_account(now, conn, request, (command, extra));
    }
}
