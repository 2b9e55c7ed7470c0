//! The settings of an agency: defaults < file < environment < flags.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use api::lottery_packets::BETS_PER_BATCH_MAX;
use jiff::SignedDuration;
use serde::Deserialize;

use crate::failure::{Failure, Outcome};

const EXAMPLES: &str = "\
Examples:
  consorcio agency --agency 1 --file agency-1.csv --server 127.0.0.1:12345
  consorcio agency --agency 2 --file agency-2.csv --server sur:12345,norte:12345,este:12345
  consorcio agency --config agency.yaml
  NOMBRE=Ana APELLIDO=Paz DOCUMENTO=30904465 NACIMIENTO=1999-03-17 NUMERO=7574 \\
      consorcio agency --agency 1 --server 127.0.0.1:12345     one bet, and nothing is closed

The file has a bet a line and no header: first name, last name, document, birthdate (YYYY-MM-DD),
number (0 to 9999). All of it is checked before anything is sent.
The configuration file is YAML or TOML: agency, file, lottery, receipts, server.address, batch_size,
retry_sleep, retry_sleep_max, log.level. CLI_ID, CLI_SERVER_ADDRESS, CLI_BATCH_MAXAMOUNT and
CLI_LOG_LEVEL are understood too.
Started again with the same file, an agency repeats nothing within a day: each batch is known by
the file's content and its place in it. So leave the file and the size of a batch as they are.
The one bet of the environment is known so too: within a day it counts once.
A bet of a file has a log line of its own with --log debug; a batch always has one.";

/// Milliseconds of the first pause: a node that was restarted is back soon.
const RETRY_SLEEP: Duration = Duration::from_millis(100);

/// The longest pause: an agency hears of a draw at most this late.
const RETRY_SLEEP_MAX: Duration = Duration::from_secs(5);

/// A configuration file is a page of text; a larger file is something else.
const FILE_MAX_BYTES: u64 = 1024 * 1024;

/// A lottery's agency: send its bets, close, and wait for its winners.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Number of the agency, counted from 1.
    #[arg(long, env = "CONSORCIO_AGENCY_ID")]
    agency: Option<u32>,

    /// Bets, one a line; without a file, one bet is taken from the environment.
    #[arg(long, value_name = "CSV", env = "CONSORCIO_AGENCY_FILE")]
    file: Option<PathBuf>,

    /// Id of the lottery that is meant; by default the one that is current when the agency first
    /// reaches a node. Whichever is opened after it gets nothing of this agency.
    #[arg(long, value_name = "ID", env = "CONSORCIO_AGENCY_LOTTERY",
          value_parser = clap::value_parser!(i64).range(1..))]
    lottery: Option<i64>,

    /// Append the receipt of each batch to this file, one JSON object a line: with the lottery's
    /// record they prove that the bets took part (consorcio lottery verify --help).
    #[arg(long, value_name = "FILE", env = "CONSORCIO_AGENCY_RECEIPTS")]
    receipts: Option<PathBuf>,

    /// Nodes to send to, tried in turn.
    #[arg(
        long,
        value_name = "HOST:PORT,…",
        env = "CONSORCIO_AGENCY_SERVER",
        value_delimiter = ','
    )]
    server: Option<Vec<String>>,

    /// Bets of a batch, at most 63 [default: 63].
    #[arg(long, value_name = "BETS", env = "CONSORCIO_AGENCY_BATCH_SIZE")]
    batch_size: Option<usize>,

    /// First pause before something is tried again; each is twice the one before [default: 100ms].
    #[arg(long, value_name = "TIME", env = "CONSORCIO_AGENCY_RETRY_SLEEP")]
    retry_sleep: Option<Pause>,

    /// Longest pause [default: 5s].
    #[arg(long, value_name = "TIME", env = "CONSORCIO_AGENCY_RETRY_SLEEP_MAX")]
    retry_sleep_max: Option<Pause>,

    /// What is logged: error, warn, info or debug [default: info].
    #[arg(long, value_name = "LEVEL", env = "CONSORCIO_AGENCY_LOG_LEVEL")]
    log: Option<String>,

    /// Read settings from this YAML or TOML file.
    #[arg(long, value_name = "FILE", env = "CONSORCIO_AGENCY_CONFIG")]
    config: Option<PathBuf>,
}

/// The settings that hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    pub agency: u32,
    pub file: Option<PathBuf>,
    pub lottery: Option<i64>,
    pub receipts: Option<PathBuf>,
    pub servers: Vec<String>,
    pub batch_size: usize,
    pub retry_sleep: Duration,
    pub retry_sleep_max: Duration,
    pub log: String,
}

/// A time to wait, written `500ms` or `5s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pause(Duration);

impl FromStr for Pause {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = SignedDuration::from_str(text).ok();
        let time = time.and_then(|time| Duration::try_from(time).ok());
        time.filter(|time| !time.is_zero())
            .map(Pause)
            .ok_or_else(|| format!("{text:?} is no time to wait: write 500ms or 5s"))
    }
}

impl TryFrom<String> for Pause {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// What one source says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Given {
    #[serde(alias = "id")]
    agency: Option<u32>,
    file: Option<PathBuf>,
    lottery: Option<i64>,
    receipts: Option<PathBuf>,
    server: ServerSection,
    batch_size: Option<usize>,
    batch: BatchSection,
    retry_sleep: Option<Pause>,
    retry_sleep_max: Option<Pause>,
    log: LogSection,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ServerSection {
    /// `HOST:PORT`, or several with commas.
    address: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct BatchSection {
    #[serde(rename = "maxAmount")]
    max_amount: Option<usize>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LogSection {
    level: Option<String>,
}

impl Given {
    fn over(self, below: Given) -> Given {
        let batch_size = self.batch_size().or(below.batch_size());
        Given {
            agency: self.agency.or(below.agency),
            file: self.file.or(below.file),
            lottery: self.lottery.or(below.lottery),
            receipts: self.receipts.or(below.receipts),
            server: ServerSection {
                address: self.server.address.or(below.server.address),
            },
            batch_size,
            batch: BatchSection::default(),
            retry_sleep: self.retry_sleep.or(below.retry_sleep),
            retry_sleep_max: self.retry_sleep_max.or(below.retry_sleep_max),
            log: LogSection {
                level: self.log.level.or(below.log.level),
            },
        }
    }

    fn batch_size(&self) -> Option<usize> {
        self.batch_size.or(self.batch.max_amount)
    }

    fn complete(self) -> Outcome<Settings> {
        let size = self.batch_size().unwrap_or(BETS_PER_BATCH_MAX);
        if !(1..=BETS_PER_BATCH_MAX).contains(&size) {
            return Err(Failure::usage(format!(
                "a batch has 1 to {BETS_PER_BATCH_MAX} bets, not {size}"
            )));
        }
        let agency = self
            .agency
            .filter(|agency| *agency > 0)
            .ok_or_else(|| Failure::usage("say with --agency which one this is, counted from 1"))?;
        let pause = |given: Option<Pause>, default| given.map_or(default, |Pause(time)| time);
        let retry_sleep = pause(self.retry_sleep, RETRY_SLEEP);
        Ok(Settings {
            agency,
            file: self.file,
            lottery: self.lottery,
            receipts: self.receipts,
            servers: servers(self.server.address.as_deref().unwrap_or_default())?,
            batch_size: size,
            retry_sleep,
            retry_sleep_max: pause(self.retry_sleep_max, RETRY_SLEEP_MAX).max(retry_sleep),
            log: self
                .log
                .level
                .unwrap_or_else(|| "info".to_owned())
                .to_lowercase(),
        })
    }
}

fn servers(text: &str) -> Outcome<Vec<String>> {
    let servers: Vec<String> = text.split(',').map(|one| one.trim().to_owned()).collect();
    let has_port = |server: &String| {
        let port = server.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        matches!(port, Some(Ok(_)))
    };
    match servers.iter().all(has_port) {
        true => Ok(servers),
        false => Err(Failure::usage(
            "say with --server where the lottery is: HOST:PORT, or several with commas",
        )),
    }
}

/// The settings that hold: flags and their variables, the classic variables, the file, the
/// defaults.
pub fn load(args: Args) -> Outcome<Settings> {
    let file = args.config.as_deref().map(read_file).transpose()?;
    let flags = Given {
        agency: args.agency,
        file: args.file,
        lottery: args.lottery,
        receipts: args.receipts,
        server: ServerSection {
            address: args.server.map(|servers| servers.join(",")),
        },
        batch_size: args.batch_size,
        batch: BatchSection::default(),
        retry_sleep: args.retry_sleep,
        retry_sleep_max: args.retry_sleep_max,
        log: LogSection { level: args.log },
    };
    let classic = classic(&|name| std::env::var(name).ok())?;
    flags
        .over(classic)
        .over(file.unwrap_or_default())
        .complete()
}

/// The variables that agencies in the field have.
fn classic(variable: &dyn Fn(&str) -> Option<String>) -> Outcome<Given> {
    Ok(Given {
        agency: number(variable, "CLI_ID")?,
        server: ServerSection {
            address: variable("CLI_SERVER_ADDRESS"),
        },
        batch_size: number(variable, "CLI_BATCH_MAXAMOUNT")?,
        log: LogSection {
            level: variable("CLI_LOG_LEVEL"),
        },
        ..Given::default()
    })
}

fn number<T: FromStr>(variable: &dyn Fn(&str) -> Option<String>, name: &str) -> Outcome<Option<T>> {
    let parse = |text: String| {
        text.parse()
            .map_err(|_| Failure::usage(format!("{name} is {text:?}, which is no number")))
    };
    variable(name).map(parse).transpose()
}

fn read_file(path: &Path) -> Outcome<Given> {
    let refuse = |why: String| Failure::usage(format!("{}: {why}", path.display()));
    let size = std::fs::metadata(path)
        .map_err(|error| refuse(error.to_string()))?
        .len();
    if size > FILE_MAX_BYTES {
        return Err(refuse(format!(
            "it has {size} bytes, more than {FILE_MAX_BYTES}"
        )));
    }
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    let is_toml = path
        .extension()
        .is_some_and(|extension| extension == "toml");
    let given = match is_toml {
        true => toml::from_str(&text).map_err(|error| error.to_string()),
        false => serde_saphyr::from_str(&text).map_err(|error| error.to_string()),
    };
    given.map_err(|why| refuse(why.split_whitespace().collect::<Vec<_>>().join(" ")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn written(name: &str, text: &str) -> Outcome<Given> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        read_file(&path)
    }

    #[test]
    fn yaml_and_toml_say_the_same() {
        let yaml = "agency: 3\nlottery: 12\nserver:\n  address: a:1, b:2\nbatch_size: 10\n\
                    retry_sleep: 1s\nretry_sleep_max: 1m\nlog:\n  level: DEBUG\n";
        let toml = "agency = 3\nlottery = 12\nbatch_size = 10\n\
                    retry_sleep = \"1s\"\nretry_sleep_max = \"1m\"\n\
                    [server]\naddress = \"a:1, b:2\"\n[log]\nlevel = \"DEBUG\"\n";
        let expected = Settings {
            agency: 3,
            file: None,
            lottery: Some(12),
            receipts: None,
            servers: vec!["a:1".into(), "b:2".into()],
            batch_size: 10,
            retry_sleep: Duration::from_secs(1),
            retry_sleep_max: Duration::from_secs(60),
            log: "debug".into(),
        };
        for (name, text) in [("agency.yaml", yaml), ("agency.toml", toml)] {
            assert_eq!(written(name, text).unwrap().complete().unwrap(), expected);
        }
    }

    #[test]
    fn the_environment_is_over_the_file_and_the_file_over_the_defaults() {
        let file = written(
            "x.yaml",
            "id: 1\nserver: {address: 'a:1'}\nbatch: {maxAmount: 7}\n",
        );
        let variable = |name: &str| (name == "CLI_ID").then(|| "2".to_owned());
        let settings = classic(&variable)
            .unwrap()
            .over(file.unwrap())
            .complete()
            .unwrap();
        assert_eq!((settings.agency, settings.batch_size), (2, 7));
        assert_eq!(settings.retry_sleep_max, RETRY_SLEEP_MAX);
        let odd = |name: &str| (name == "CLI_ID").then(|| "dos".to_owned());
        assert!(classic(&odd).unwrap_err().message.contains("CLI_ID"));
    }

    #[test]
    fn what_cannot_be_is_said() {
        let complete = |text: &str| written("x.yaml", text).unwrap().complete().unwrap_err();
        assert!(
            complete("server: {address: 'a:1'}")
                .message
                .contains("--agency")
        );
        assert!(complete("agency: 1").message.contains("--server"));
        assert!(
            complete("agency: 1\nserver: {address: nowhere}")
                .message
                .contains("--server")
        );
        assert!(
            complete("agency: 1\nbatch_size: 64")
                .message
                .contains("not 64")
        );
        assert!(
            written("x.yaml", "agencia: 1")
                .unwrap_err()
                .message
                .contains("agencia")
        );
        assert!(written("x.toml", "retry_sleep = \"soon\"").is_err());
    }
}
