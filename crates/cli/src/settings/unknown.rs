//! Variables of the environment that look like settings and are none: a slip of the pen would
//! otherwise leave a default in place without a word.

use clap::Command;

/// What the names of all settings begin with.
const PREFIX: &str = "CONSORCIO_";

/// Settings that are no flags: secrets, and what the commands that talk to a node remember.
const NOT_FLAGS: [&str; 7] = [
    "CONSORCIO_ADMIN_PASSWORD",
    "CONSORCIO_ADMIN_PASSWORD_FILE",
    "CONSORCIO_JOIN",
    "CONSORCIO_JOIN_FILE",
    "CONSORCIO_PASSWORD",
    "CONSORCIO_NEW_PASSWORD",
    "CONSORCIO_SERVER",
];

/// Those among `names` that no part of the program knows, in order.
pub fn unknown(program: &Command, names: impl Iterator<Item = String>) -> Vec<String> {
    let mut unknown: Vec<String> = names
        .filter(|name| name.starts_with(PREFIX))
        .filter(|name| !NOT_FLAGS.contains(&name.as_str()) && !is_flag(program, name))
        .collect();
    unknown.sort_unstable();
    unknown
}

fn is_flag(command: &Command, name: &str) -> bool {
    let of_flag = |flag: &clap::Arg| flag.get_env().is_some_and(|variable| variable == name);
    command.get_arguments().any(of_flag)
        || command
            .get_subcommands()
            .any(|command| is_flag(command, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn a_slip_of_the_pen_is_found_and_what_any_role_knows_is_not() {
        let names = [
            "PATH",
            "CONSORCIO_HTTP",
            "CONSORCIO_HTPP",
            "CONSORCIO_UP_DATA",
            "CONSORCIO_JOIN_FILE",
            "CONSORCIO_AGENCY_ID",
        ];
        let names = names.into_iter().map(str::to_owned);
        let program = crate::Program::command();
        assert_eq!(unknown(&program, names), ["CONSORCIO_HTPP"]);
    }
}
