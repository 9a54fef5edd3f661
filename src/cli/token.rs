//! `chinwag token`: tokens for tests, and why one is not taken.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::names;
use crate::auth::jwt::{Claims, LEEWAY_MS, SigningKey, TOKEN_LEN_MAX, inspect, mint};
use crate::auth::keys::Algorithm;
use crate::chat::model::name::{NameError, UserName};
use crate::chat::model::suspensions::Revocation;
use crate::config::{Config, TokenKey, named_file};
use crate::log::Timestamp;
use crate::server::token_keys;
use crate::time::clock::Clock;

/// The most bytes of a private key in PEM: one of RSA with 16,384 bits has 13 KiB.
const KEY_LEN_MAX: u64 = 64 << 10;

/// What is done with tokens.
#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Print a token that a configured key has signed
    ///
    /// The key is the one of [[jwt.key]] with the issuer and the kid; if there is only one, that
    /// one. For a public key the private one is given by --private-key.
    ///
    /// Example: chinwag token mint ann --for 1h --claim 'rooms={"support/*":"rw"}'
    Mint {
        /// The token's sub
        subject: String,
        /// The issuer of the key
        #[arg(long)]
        issuer: Option<String>,
        /// The kid of the key
        #[arg(long)]
        kid: Option<String>,
        /// How long it is good
        #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = parse_time)]
        lasts: u64,
        /// A further claim; a value that is no JSON is text
        #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = parse_claim)]
        claims: Vec<(String, Value)>,
        /// The private key (PEM, PKCS#8), where the configured one is public
        #[arg(long, value_name = "FILE")]
        private_key: Option<PathBuf>,
    },
    /// Have tokens not taken any more; a running server ends their connections at once
    ///
    /// Example: chinwag token revoke --user ann
    Revoke {
        /// The token of this jti
        #[arg(long, required_unless_present = "user", conflicts_with = "user")]
        jti: Option<String>,
        /// All tokens of this user that were issued until now
        #[arg(long)]
        user: Option<String>,
        /// How long such tokens may still be good: then it is forgotten
        #[arg(long = "for", value_name = "TIME", default_value = "30d", value_parser = parse_time)]
        lasts: u64,
    },
    /// Show a token's header and claims, the key that it needs, and whether it is taken
    ///
    /// It exits with 0 if the server would take the token now, and with 1 if not.
    Inspect {
        /// The token; "-" or none: from standard input, which the list of processes does not show
        token: Option<String>,
    },
}

type Failure = Box<dyn std::error::Error>;

/// Does it.
pub(super) fn run(command: &TokenCommand, config: &Config) -> ExitCode {
    let mut out = io::stdout().lock();
    let done = match command {
        TokenCommand::Mint { .. } => print_minted(&mut out, command, config),
        TokenCommand::Revoke { jti, user, lasts } => {
            revoke(&mut out, (jti.as_deref(), user.as_deref()), *lasts, config)
        }
        TokenCommand::Inspect { token } => print_inspected(&mut out, token.as_deref(), config),
    };
    let flushed = |code| out.flush().map(|()| code).map_err(Failure::from);
    match done.and_then(flushed) {
        Ok(code) => code,
        Err(error) => {
            _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print_minted(
    out: &mut dyn io::Write,
    command: &TokenCommand,
    config: &Config,
) -> Result<ExitCode, Failure> {
    let TokenCommand::Mint { subject, issuer, kid, lasts, claims, private_key } = command else {
        return Err("there is nothing to mint".into());
    };
    let table = choose(&config.token_keys, issuer.as_deref(), kid.as_deref())?;
    let algorithm = table.algorithm.or_else(|| private_key.as_ref().map(|_| Algorithm::Es256));
    let algorithm = algorithm.ok_or("the key's table names no algorithm: give it one")?;
    let now_s = Clock::start().now().wall_ms / 1_000;
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| format!("no random numbers: {error}"))?;
    let id = format!("{:032x}", u128::from_ne_bytes(id));
    let mut all = Map::new();
    for (name, value) in [
        ("iss", json!(table.issuer)),
        ("sub", json!(subject)),
        ("aud", json!(config.jwt.audience.first())),
        ("iat", json!(now_s)),
        ("nbf", json!(now_s)),
        ("exp", json!(now_s + lasts / 1_000)),
        ("jti", json!(id)),
    ] {
        all.insert(name.to_owned(), value);
    }
    all.extend(claims.iter().cloned());
    let mut header = json!({"typ": "JWT", "alg": algorithm.name()});
    if let (Some(kid), Some(header)) = (kid.as_ref().or(table.kid.as_ref()), header.as_object_mut())
    {
        header.insert("kid".to_owned(), json!(kid));
    }
    let texts = (header.to_string(), Value::Object(all).to_string());
    let texts = (texts.0.as_str(), texts.1.as_str());
    let token = match (private_key, token_keys::secret_of(table)?) {
        (Some(path), _) => mint(algorithm, SigningKey::Pem(&read_key(path)?), texts)?,
        (None, Some(secret)) => mint(algorithm, SigningKey::Secret(&secret), texts)?,
        (None, None) => {
            return Err(
                "the configured key is public: give the private one by --private-key".into()
            );
        }
    };
    writeln!(out, "{token}")?;
    Ok(ExitCode::SUCCESS)
}

fn read_key(path: &Path) -> Result<Vec<u8>, Failure> {
    let key = named_file::read(path, KEY_LEN_MAX);
    key.map_err(|error| format!("{}: {error}", path.display()).into())
}

fn revoke(
    out: &mut dyn io::Write,
    (jti, user): (Option<&str>, Option<&str>),
    lasts: u64,
    config: &Config,
) -> Result<ExitCode, Failure> {
    let at = Clock::start().now().wall_ms;
    let what = match (jti, user) {
        (Some(id), _) => Revocation::of_token(id),
        (None, Some(name)) => {
            let stored = UserName::stored(name);
            let name = stored.map_or_else(|| UserName::parse(name), Ok);
            let wrong = |error: NameError| format!("a name is {}", error.expected);
            Revocation::of_user(&name.map_err(wrong)?)
        }
        (None, None) => return Err("say which, by --jti or --user".into()),
    };
    let revocation = Revocation { what, at, until: at.saturating_add(lasts) };
    crate::store::tools::revoke::revoke(&config.data, &revocation)?;
    writeln!(out, "revoked {}", shown(&revocation.what))?;
    Ok(ExitCode::SUCCESS)
}

/// The table of the key that is meant.
fn choose<'k>(
    tables: &'k [TokenKey],
    issuer: Option<&str>,
    kid: Option<&str>,
) -> Result<&'k TokenKey, Failure> {
    let mut fitting = tables.iter().filter(|table| {
        let has_kid = table.kid.is_none() || kid.is_none() || table.kid.as_deref() == kid;
        issuer.is_none_or(|issuer| issuer == table.issuer) && has_kid
    });
    match (fitting.next(), fitting.next()) {
        (Some(table), None) => Ok(table),
        (None, _) if tables.is_empty() => {
            Err("no key is configured: write [[jwt.key]] in the file of --config".into())
        }
        (None, _) => Err("no configured key has this issuer and kid".into()),
        (Some(_), Some(_)) => {
            Err("several keys are configured: say which by --issuer and --kid".into())
        }
    }
}

fn print_inspected(
    out: &mut dyn io::Write,
    token: Option<&str>,
    config: &Config,
) -> Result<ExitCode, Failure> {
    let token = match token {
        Some(token) if token != "-" => token.to_owned(),
        _ => {
            let mut text = String::new();
            // More than a token may have, so that one which is too long is seen to be that.
            let bytes_max = u64::try_from(TOKEN_LEN_MAX)? + 64;
            io::stdin().lock().take(bytes_max).read_to_string(&mut text)?;
            text
        }
    };
    let wall_ms = Clock::start().now().wall_ms;
    let keys = token_keys::load(&config.token_keys)?;
    let policy = token_keys::claim_policy(config);
    let inspected = inspect(token.trim(), &keys, &policy, wall_ms);
    if let Some((header, claims)) = &inspected.texts {
        writeln!(out, "header: {}", shown(header))?;
        writeln!(out, "claims: {}", shown(claims))?;
    }
    match &inspected.key {
        Some(key) => writeln!(
            out,
            "key: {} of the issuer {:?}, kid {}",
            key.algorithm().name(),
            key.issuer(),
            key.kid().map_or_else(|| "none".to_owned(), |kid| format!("{kid:?}"))
        )?,
        None => writeln!(out, "key: none is configured for it")?,
    }
    match inspected.verdict {
        Ok(claims) => {
            print_claims(out, &claims)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(unfit) => {
            writeln!(out, "refused: {unfit} (a client gets {})", unfit.code().number())?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn print_claims(out: &mut dyn io::Write, claims: &Claims) -> io::Result<()> {
    let name = claims.name.as_ref().map_or("(one is made)", |name| name.as_str());
    writeln!(out, "user: {name}")?;
    if claims.is_admin {
        writeln!(out, "administrator: yes")?;
    }
    for grant in claims.rooms.iter().flatten() {
        let rights = match (grant.read, grant.write) {
            (true, true) => "read and write",
            (true, false) => "read",
            _ => "write",
        };
        writeln!(out, "rooms: {} ({rights})", shown(&grant.pattern))?;
    }
    if claims.rooms.as_ref().is_some_and(Vec::is_empty) {
        writeln!(out, "rooms: none")?;
    }
    let until = claims.expires_ms.saturating_sub(LEEWAY_MS);
    writeln!(out, "taken: until {} and 30 s", Timestamp(until))
}

/// Text of a stranger, of which a terminal obeys nothing.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn parse_time(text: &str) -> Result<u64, String> {
    // A token's times are seconds.
    match names::parse_time(text) {
        Ok(millis) if millis < 1_000 => Err("a time is at least 1s".to_owned()),
        parsed => parsed,
    }
}

fn parse_claim(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("a claim is NAME=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_no_json| Value::from(value));
    Ok((name.to_owned(), value))
}
