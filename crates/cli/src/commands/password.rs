//! Passwords: asked for without an echo, or read from standard input or the environment; never
//! from the command line, where every process of the machine can read them.

use std::io::BufRead;

use crate::failure::{Failure, Outcome};

/// A line of standard input is no password beyond this.
const LINE_MAX_BYTES: usize = 4096;

/// Where passwords come from.
#[derive(clap::Args, Clone, Debug)]
pub struct Source {
    /// Read passwords from standard input, one a line
    #[arg(long)]
    password_stdin: bool,
}

impl Source {
    /// The password that `variable` holds, or the next line of standard input, or what is typed
    /// after `prompt`.
    pub fn read(&self, prompt: &str, variable: &str) -> Outcome<String> {
        if self.password_stdin {
            return next_line();
        }
        match std::env::var(variable) {
            Ok(password) => Ok(password),
            Err(_) => ask(prompt, variable),
        }
    }

    /// The same for a new password, which is typed twice.
    pub fn read_new(&self, prompt: &str, variable: &str) -> Outcome<String> {
        if self.password_stdin || std::env::var_os(variable).is_some() {
            return self.read(prompt, variable);
        }
        let first = ask(prompt, variable)?;
        if ask("The same again: ", variable)? == first {
            Ok(first)
        } else {
            Err(Failure::usage("the two passwords differ"))
        }
    }
}

fn ask(prompt: &str, variable: &str) -> Outcome<String> {
    rpassword::prompt_password(prompt).map_err(|error| {
        Failure::usage(format!(
            "there is no terminal to ask for the password ({error}): use --password-stdin or \
             {variable}"
        ))
    })
}

fn next_line() -> Outcome<String> {
    let mut line = String::new();
    let mut input = std::io::stdin().lock();
    input
        .read_line(&mut line)
        .map_err(|error| Failure::usage(format!("cannot read a password: {error}")))?;
    if line.is_empty() || line.len() > LINE_MAX_BYTES {
        return Err(Failure::usage("standard input holds no password"));
    }
    line.truncate(line.trim_end_matches(['\n', '\r']).len());
    Ok(line)
}
