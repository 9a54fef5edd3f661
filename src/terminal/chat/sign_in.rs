//! Coming in: by a token, by a name alone, or by a name and a password.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use chinwag_client::{Address, Client, Error, Login, Offers, Options, Roots, Token, login, offers};

use super::{Chat, show};

/// What people who look at their logins read.
pub(super) const AGENT: &str = "chinwag chat";
/// For the server to accept somebody.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(15);
/// Tries of a password.
const TRIES_MAX: u32 = 3;
/// Codes of a name that is another's: not proven, or taken.
const NOT_PROVEN: [u16; 2] = [2001, 2005];

/// Where one is, and by which way one came in.
#[derive(Debug)]
pub(super) struct Door {
    pub address: Address,
    pub roots: Roots,
    pub offers: Offers,
    /// Whether this program has logged in, and so has to log out.
    pub has_logged_in: bool,
}

/// Whoever has come in.
#[derive(Debug)]
pub(super) struct Entrance {
    pub client: Client,
    pub door: Door,
    /// The rooms that an invitation led into.
    pub rooms: Vec<String>,
}

/// Asks a person for a name and a password, as far as they are not known; `None` where nobody can
/// be asked.
pub(super) type Ask = fn(name: Option<&str>) -> Option<(String, String)>;

/// Comes in.
pub(super) fn enter(chat: &Chat, ask: Ask) -> Result<Entrance, String> {
    let address = Address::parse(&chat.url).map_err(|error| error.message)?;
    let roots = match &chat.trusted {
        None => Roots::System,
        Some(file) => Roots::file(file)
            .map_err(|error| format!("{} cannot be read: {error}", file.display()))?,
    };
    let offers = offers(&address, &roots).map_err(|error| unreachable(&error))?;
    let mut door = Door { address, roots, offers, has_logged_in: false };
    if let Some(token) = &chat.token {
        let client = start(&door, Some(token.clone()), None)
            .map_err(|error| format!("the token is not taken: {error}"))?;
        return Ok(Entrance { client, door, rooms: Vec::new() });
    }
    // Without a password where names are not proved; without a name where guests may come in.
    let by_name = if door.offers.auth.iter().any(|way| way == "none") {
        true
    } else {
        door.offers.has_open_door() && chat.name.is_none()
    };
    if by_name {
        match start(&door, None, chat.name.clone()) {
            Ok(client) => return Ok(Entrance { client, door, rooms: Vec::new() }),
            // The name is somebody's: whose it is says the password.
            Err(error) if NOT_PROVEN.contains(&error.code) && door.offers.has_accounts() => {}
            Err(error) => return Err(show::refusal(&error)),
        }
    }
    if !door.offers.has_accounts() {
        return Err("people come in from another application here: give what it has given you, \
                    with --token @FILE"
            .to_owned());
    }
    let Login { token, rooms, .. } = log_in(&door, chat.name.as_deref(), ask)?;
    door.has_logged_in = true;
    let client = start(&door, Some(token), None).map_err(|error| error.to_string())?;
    Ok(Entrance { client, door, rooms })
}

fn start(door: &Door, token: Option<String>, name: Option<String>) -> Result<Client, Error> {
    let options = Options {
        name,
        token: token.map_or(Token::None, Token::Fixed),
        agent: Some(AGENT.to_owned()),
        roots: door.roots.clone(),
        ..Options::default()
    };
    let client = Client::start(door.address.url(), options)?;
    client.wait_ready(Some(ACCEPT_TIMEOUT))?;
    Ok(client)
}

fn log_in(door: &Door, name: Option<&str>, ask: Ask) -> Result<Login, String> {
    for _ in 0..TRIES_MAX {
        let Some((name, password)) = ask(name) else { break };
        match login(&door.address, &door.roots, (&name, &password), AGENT) {
            Ok(login) => return Ok(login),
            Err(error) if error.code == NOT_PROVEN[0] => super::print(&format!("! {error}")),
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("one has to log in here: chinwag chat --as NAME asks for the password, and programs give a \
         key with --token @FILE"
        .to_owned())
}

/// Asks at the terminal, where a password is not shown.
pub(super) fn ask(name: Option<&str>) -> Option<(String, String)> {
    if !io::stdin().is_terminal() {
        return None;
    }
    let name = match name {
        Some(name) => name.to_owned(),
        None => ask_name()?,
    };
    let password = ask_password(&format!("password of {name}: "))?;
    Some((name, password))
}

fn ask_name() -> Option<String> {
    let mut out = io::stdout().lock();
    write!(out, "name: ").and_then(|()| out.flush()).ok()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line).ok()?;
    Some(line.trim().to_owned()).filter(|name| !name.is_empty())
}

/// Asks for a password, which is not shown.
pub(super) fn ask_password(prompt: &str) -> Option<String> {
    rpassword::prompt_password(prompt).ok().filter(|password| !password.is_empty())
}

fn unreachable(error: &Error) -> String {
    format!("{error}; `chinwag` starts a server here, `chinwag chat URL` goes to another one")
}
