//! `consorcio account`: accounts and sessions.

use api::types::{Account, Credentials, CurrentSession, PasswordChange};

use super::output::{Style, cell};
use super::password::Source;
use super::session::Session;
use super::{Common, when, with_session};
use crate::failure::{Failure, Outcome};

const EXAMPLES: &str = "\
Examples:
  consorcio account register ana            asks for a password, and signs in
  consorcio account login ana --server http://sur.lan:8080
  printf '%s\\n' \"$SECRET\" | consorcio account login ana --password-stdin
  consorcio account promote ana             for administrators

Passwords are asked for; scripts use --password-stdin, or CONSORCIO_PASSWORD and
CONSORCIO_NEW_PASSWORD. The session is kept in $XDG_CONFIG_HOME/consorcio/login.json.";

/// Accounts: register, sign in and out, passwords, administrators
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Make an account and sign in with it
    Register {
        /// The new member's name
        name: String,
        #[command(flatten)]
        password: Source,
    },
    /// Sign in
    Login {
        /// The member's name
        name: String,
        #[command(flatten)]
        password: Source,
    },
    /// Sign out
    Logout {
        /// Also end the member's sessions on other machines
        #[arg(long)]
        everywhere: bool,
    },
    /// Who is signed in
    Whoami,
    /// Change the password; other sessions end
    Password {
        #[command(flatten)]
        password: Source,
    },
    /// All accounts (administrators)
    List,
    /// Make a member an administrator (administrators)
    Promote {
        /// The member's name
        name: String,
    },
    /// Make an administrator a plain member (administrators)
    Demote {
        /// The member's name
        name: String,
    },
}

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    with_session(&args.common, async |session| match args.action {
        Action::Register { name, password } => register(session, name, &password).await,
        Action::Login { name, password } => login(session, name, &password).await,
        Action::Logout { everywhere } => logout(session, everywhere).await,
        Action::Whoami => whoami(session).await,
        Action::Password { password } => change_password(session, &password).await,
        Action::List => list(session).await,
        Action::Promote { name } => set_administrator(session, &name, true).await,
        Action::Demote { name } => set_administrator(session, &name, false).await,
    })
}

async fn register(session: &mut Session, name: String, source: &Source) -> Outcome {
    let prompt = format!("New password for {name}: ");
    let password = source.read_new(&prompt, "CONSORCIO_PASSWORD")?;
    let credentials = Credentials { name, password };
    let account = session.client.register(&credentials).await?;
    let opened = session.client.log_in(&credentials).await?;
    session.signed_in(&opened);
    if session.out.json {
        return session.out.json(&account);
    }
    session
        .out
        .line(&format!("{} is a member now, and signed in.", account.name))
}

async fn login(session: &mut Session, name: String, source: &Source) -> Outcome {
    let password = source.read(&format!("Password of {name}: "), "CONSORCIO_PASSWORD")?;
    let opened = session
        .client
        .log_in(&Credentials { name, password })
        .await?;
    session.signed_in(&opened);
    if session.out.json {
        return session.out.json(&opened);
    }
    let until = when::local(&opened.expires_at);
    session
        .out
        .line(&format!("Signed in as {} until {until}.", opened.name))
}

async fn logout(session: &mut Session, everywhere: bool) -> Outcome {
    if session.client.token().is_none() {
        return session.out.say("Nobody was signed in.");
    }
    let ended = match everywhere {
        true => session.client.log_out_everywhere().await,
        false => session.client.log_out().await,
    };
    ended?;
    let name = session.name().unwrap_or("the member").to_owned();
    session.signed_out();
    session.out.say(format!("Signed out {name}."))
}

async fn whoami(session: &mut Session) -> Outcome {
    let current = session.client.current_session().await?;
    if session.out.json {
        return session.out.json(&current);
    }
    let CurrentSession {
        name,
        administrator,
        expires_at,
        ..
    } = current;
    let role = if administrator {
        "administrator"
    } else {
        "member"
    };
    session.out.line(&format!(
        "{name}, {role}, signed in until {}",
        when::local(&expires_at)
    ))
}

async fn change_password(session: &mut Session, source: &Source) -> Outcome {
    let current_password = source.read("Current password: ", "CONSORCIO_PASSWORD")?;
    let new_password = source.read_new("New password: ", "CONSORCIO_NEW_PASSWORD")?;
    session
        .client
        .change_password(&PasswordChange {
            current_password,
            new_password,
        })
        .await?;
    session
        .out
        .say("The password is changed; other sessions have ended.")
}

async fn list(session: &mut Session) -> Outcome {
    let mut accounts: Vec<Account> = Vec::new();
    let mut after = None;
    loop {
        let page = session.client.accounts(after.as_deref()).await?;
        accounts.extend(page.accounts);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if session.out.json {
        return session
            .out
            .json(&serde_json::json!({ "accounts": accounts }));
    }
    let row = |account: &Account| {
        let role = if account.administrator {
            "administrator"
        } else {
            "member"
        };
        let since = account
            .created_at
            .as_deref()
            .map(when::local)
            .unwrap_or_default();
        vec![
            cell(&account.name).style(Style::Bold),
            cell(role),
            cell(since),
        ]
    };
    let rows: Vec<_> = accounts.iter().map(row).collect();
    session
        .out
        .table(&["NAME", "ROLE", "SINCE"], &rows, "There are no accounts.")
}

async fn set_administrator(session: &mut Session, name: &str, administrator: bool) -> Outcome {
    session
        .client
        .set_administrator(name, administrator)
        .await
        .map_err(Failure::from)?;
    let role = if administrator {
        "an administrator"
    } else {
        "a plain member"
    };
    session.out.say(format!("{name} is {role} now."))
}
