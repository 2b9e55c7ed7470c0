//! The settings of a node: defaults < file < environment < flags.
//!
//! The macro `settings` is given each setting once (what it means, its type, its default and its
//! variable) and makes two structs of them: [`Given`], what one source says, and [`Settings`], what
//! holds in the end.

mod door;
mod load;
mod public_url;
mod unknown;

pub use door::{Door, check_apart};
pub use load::load;
pub use unknown::unknown;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Outcome};

macro_rules! settings {
    ($(
        $(#[doc = $doc:literal])+
        $(#[arg($($arg:tt)*)])?
        $name:ident: $type:ty = $default:expr, $variable:literal;
    )+) => {
        /// What one source says: a file, or the flags with the environment. The rest is `None`.
        #[derive(Args, Clone, Debug, Default, Deserialize, PartialEq, Eq)]
        #[serde(default, deny_unknown_fields)]
        pub struct Given {
            $(
                $(#[doc = $doc])+
                #[arg(long, env = $variable, hide_env_values = true)]
                $(#[arg($($arg)*)])?
                pub $name: Option<$type>,
            )+
            /// The password of the administrator made at the first start; never a flag.
            #[arg(skip)]
            pub admin_password: Option<String>,
            /// The secret of the cluster to join, as a flag it is `--join`.
            #[arg(skip)]
            pub join: Option<String>,
        }

        /// The settings that hold.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        pub struct Settings {
            $(
                $(#[doc = $doc])+
                pub $name: $type,
            )+
            /// The password of the administrator made at the first start; generated if absent.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub admin_password: Option<String>,
            /// The secret of the cluster to join at the first start.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub join: Option<String>,
        }

        impl Given {
            /// What this source says, and where it says nothing, what `below` says.
            pub fn over(self, below: Given) -> Given {
                Given {
                    $($name: self.$name.or(below.$name),)+
                    admin_password: self.admin_password.or(below.admin_password),
                    join: self.join.or(below.join),
                }
            }

            fn over_defaults(self) -> Settings {
                Settings {
                    $($name: self.$name.unwrap_or_else(|| $default),)+
                    admin_password: self.admin_password,
                    join: self.join,
                }
            }
        }
    };
}

settings! {
    /// Name of the node, unlike every other's in the cluster.
    name: String = "n1".to_owned(), "CONSORCIO_NAME";

    /// Directory that holds all that the node keeps; by default `data/` and the node's name.
    #[arg(value_name = "DIR")]
    data: PathBuf = PathBuf::new(), "CONSORCIO_DATA";

    /// Address where browsers, clients and scripts are served.
    #[arg(value_name = "ADDRESS")]
    http: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080)), "CONSORCIO_HTTP";

    /// URL under which others reach that address, if it is another; it is told to clients.
    #[arg(value_name = "URL")]
    http_url: String = String::new(), "CONSORCIO_HTTP_URL";

    /// URL under which browsers and feed readers reach the cluster, where a proxy or a balancer is
    /// before it; links in feeds begin so. With https, browsers send sessions through TLS only.
    #[arg(value_name = "URL")]
    public_url: String = String::new(), "CONSORCIO_PUBLIC_URL";

    /// Address where the other nodes are served.
    #[arg(value_name = "ADDRESS")]
    peer: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 7070)), "CONSORCIO_PEER";

    /// `host:port` under which the other nodes reach that address, if it is another.
    #[arg(value_name = "HOST:PORT")]
    peer_address: String = String::new(), "CONSORCIO_PEER_ADDRESS";

    /// Address where gRPC clients are served, or off. On an address of other machines they need a
    /// session, unless grpc-without-session is set.
    #[arg(value_name = "ADDRESS|off")]
    grpc: Door = Door::local(50_051), "CONSORCIO_GRPC";

    /// Let every gRPC client that can reach the address read, change and delete all keys without a
    /// session, and see what HTTP shows to anybody. On an address of this machine alone none is
    /// needed anyhow.
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = BoolishValueParser::new())]
    grpc_without_session: bool = false, "CONSORCIO_GRPC_WITHOUT_SESSION";

    /// Address where the lottery's agencies are served, or off.
    #[arg(value_name = "ADDRESS|off")]
    lottery: Door = Door::local(12_345), "CONSORCIO_LOTTERY";

    /// Networks whose agencies may connect, with commas between them: 10.0.0.0/8,192.168.1.7, or
    /// any. By default this machine alone.
    #[arg(value_name = "NETWORK,…")]
    lottery_allow: String = String::new(), "CONSORCIO_LOTTERY_ALLOW";

    /// Id of the lottery that is served; 0 is the current one, which was opened last.
    #[arg(value_name = "ID")]
    lottery_id: u32 = 0, "CONSORCIO_LOTTERY_ID";

    /// Address where Redis clients are served, or off. On an address of other machines they must
    /// say AUTH with an account's name and password, unless redis-without-password is set.
    #[arg(value_name = "ADDRESS|off")]
    redis: Door = Door::local(6_379), "CONSORCIO_REDIS";

    /// Networks whose Redis clients may connect, with commas between them; by default any that can
    /// reach the address.
    #[arg(value_name = "NETWORK,…")]
    redis_allow: String = "any".to_owned(), "CONSORCIO_REDIS_ALLOW";

    /// Let every Redis client that can reach the address read, change and delete all keys without
    /// a password. On an address of this machine alone none is needed anyhow.
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = BoolishValueParser::new())]
    redis_without_password: bool = false, "CONSORCIO_REDIS_WITHOUT_PASSWORD";

    /// Address that sends back what comes (RFC 862), to try whether the node can be reached, or
    /// off. Who may connect is said by lottery-allow.
    #[arg(value_name = "ADDRESS|off")]
    echo: Door = Door::Off, "CONSORCIO_ECHO";

    /// Fill a new cluster with members, areas and posts of an invented association.
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = BoolishValueParser::new())]
    demo: bool = false, "CONSORCIO_DEMO";

    /// Let administrators make the node fail on purpose, for a time (`consorcio drill`): not where
    /// others depend on it.
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = BoolishValueParser::new())]
    allow_drills: bool = false, "CONSORCIO_ALLOW_DRILLS";

    /// Write logs as JSON, one object a line.
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = BoolishValueParser::new())]
    log_json: bool = false, "CONSORCIO_LOG_JSON";

    /// Believe the address that a proxy before this node writes last into X-Forwarded-For: only
    /// where one does, or anybody may pretend to be anybody. Limits on guessing count by address.
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = BoolishValueParser::new())]
    trust_forwarded_for: bool = false, "CONSORCIO_TRUST_FORWARDED_FOR";

    /// Threads that serve and agree, besides those that wait for the disk; by default one for each
    /// processor. Several nodes on one machine do best with a share each, which is what `up` gives.
    #[arg(value_name = "COUNT")]
    threads: NonZeroUsize = processors(), "CONSORCIO_THREADS";

    /// What is logged: error, warn, info, debug or trace, also by module: `info,engine=debug`.
    #[arg(value_name = "LEVEL")]
    log: String = "info".to_owned(), "CONSORCIO_LOG";
}

#[cfg(test)]
impl Given {
    /// The settings that hold if this is all that is said.
    pub fn settled(self) -> Outcome<Settings> {
        self.over_defaults().complete()
    }
}

impl Settings {
    /// Adds what follows from other settings, and refuses what cannot work.
    fn complete(mut self) -> Outcome<Self> {
        check_name(&self.name)?;
        if self.data.as_os_str().is_empty() {
            self.data = PathBuf::from("data").join(&self.name);
        }
        if self.http_url.is_empty() {
            self.http_url = format!("http://{}", reachable(self.http, "http", "http-url")?);
        }
        if self.peer_address.is_empty() {
            self.peer_address = reachable(self.peer, "peer", "peer-address")?;
        }
        self.public_url = public_url::checked(&self.public_url)?;
        for (door, flag) in [(self.lottery, "lottery"), (self.echo, "echo")] {
            check_allowed(door, flag, &self.lottery_allow)?;
        }
        check_apart(&[
            ("http", Door::At(self.http)),
            ("peer", Door::At(self.peer)),
            ("grpc", self.grpc),
            ("redis", self.redis),
            ("lottery", self.lottery),
            ("echo", self.echo),
        ])?;
        self.http_url
            .truncate(self.http_url.trim_end_matches('/').len());
        Ok(self)
    }

    /// Where others reach a front door, which they are told: one that listens on every address is
    /// beside the HTTP door, and one of this machine alone is there for nobody else.
    pub fn reached(&self, door: Door) -> Option<String> {
        let Door::At(address) = door else {
            return None;
        };
        let url: Option<http::Uri> = self.http_url.parse().ok();
        let host = url.as_ref().and_then(http::Uri::host).unwrap_or_default();
        let ip = host.trim_matches(['[', ']']).parse();
        let here = host == "localhost" || ip.is_ok_and(|ip: IpAddr| ip.is_loopback());
        match address.ip() {
            ip if ip.is_unspecified() => Some(format!("{host}:{}", address.port())),
            ip if ip.is_loopback() && !here => None,
            _ => Some(address.to_string()),
        }
    }

    /// The settings as a file would say them, without the secrets.
    pub fn shown(&self) -> String {
        let mask = |secret: &Option<String>| secret.as_ref().map(|_| "(hidden)".to_owned());
        let masked = Settings {
            admin_password: mask(&self.admin_password),
            join: mask(&self.join),
            ..self.clone()
        };
        // All fields have a TOML form.
        toml::to_string(&masked).unwrap_or_default()
    }
}

/// The processors that this process may use.
fn processors() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// How many threads each of so many nodes on this machine should have: more would only take the
/// processors from one another.
pub fn share_of_processors(nodes: usize) -> NonZeroUsize {
    NonZeroUsize::new(processors().get() / nodes.max(1)).unwrap_or(NonZeroUsize::MIN)
}

/// The lottery's protocol knows no passwords: whoever opens it to a network says to which.
fn check_allowed(door: Door, flag: &str, allow: &str) -> Outcome {
    match door {
        Door::At(address) if !address.ip().is_loopback() && allow.is_empty() => {
            Err(Failure::usage(format!(
                "--{flag} {address} can be reached from other machines: say with --lottery-allow \
                 from which networks, or any"
            )))
        }
        _ => Ok(()),
    }
}

/// A name goes into paths, tables and logs.
fn check_name(name: &str) -> Outcome {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts && name.len() <= NAME_MAX_BYTES && name.chars().all(fits) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{name:?} is no name for a node: use up to {NAME_MAX_BYTES} letters, digits, '-', '_', '.'"
    )))
}

/// A node's name is at most this long: it fits a table's column and a log line's prefix.
const NAME_MAX_BYTES: usize = 32;

/// The address as others can use it.
fn reachable(address: SocketAddr, listens: &str, says: &str) -> Outcome<String> {
    if address.ip().is_unspecified() {
        return Err(Failure::usage(format!(
            "--{listens} {address} listens on every address: say with --{says} under which one \
             others reach this node"
        )));
    }
    Ok(address.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn given(text: &str) -> Given {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_follows_from_other_settings() {
        let settings = given("name = \"sur\"").over_defaults().complete().unwrap();
        assert_eq!(settings.data, PathBuf::from("data/sur"));
        assert_eq!(settings.http_url, "http://127.0.0.1:8080");
        assert_eq!(settings.peer_address, "127.0.0.1:7070");
        let told = given("http = \"0.0.0.0:80\"\nhttp_url = \"http://sur.example/\"");
        assert_eq!(
            told.over_defaults().complete().unwrap().http_url,
            "http://sur.example"
        );
    }

    #[test]
    fn a_node_that_listens_everywhere_must_say_where_it_is() {
        for (text, flag) in [
            ("http = \"0.0.0.0:80\"", "--http-url"),
            ("peer = \"[::]:7070\"", "--peer-address"),
        ] {
            let failure = given(text).over_defaults().complete().unwrap_err();
            assert!(failure.message.contains(flag), "{failure}");
        }
    }

    #[test]
    fn a_lottery_for_other_machines_says_for_which() {
        let open = "lottery = \"0.0.0.0:12345\"\n";
        let failure = given(open).over_defaults().complete().unwrap_err();
        assert!(failure.message.contains("--lottery-allow"), "{failure}");
        let allowed = format!("{open}lottery_allow = \"any\"");
        assert!(given(&allowed).over_defaults().complete().is_ok());
        let settings = given("lottery = \"off\"")
            .over_defaults()
            .complete()
            .unwrap();
        assert_eq!((settings.lottery, settings.echo), (Door::Off, Door::Off));
        assert_eq!(
            given("").over_defaults().lottery.to_string(),
            "127.0.0.1:12345"
        );
    }

    #[test]
    fn others_are_told_of_doors_that_they_can_reach() {
        let reached = |http_url: &str, door: &str| {
            let text = format!("http_url = {http_url:?}");
            let settings = given(&text).over_defaults().complete().unwrap();
            settings.reached(door.parse().unwrap())
        };
        let cases = [
            (
                "http://sur.example",
                "0.0.0.0:6379",
                Some("sur.example:6379"),
            ),
            ("http://[fd00::1]:8080", "[::]:6379", Some("[fd00::1]:6379")),
            ("http://sur.example", "10.0.0.7:6379", Some("10.0.0.7:6379")),
            ("http://sur.example", "127.0.0.1:6379", None),
            (
                "http://127.0.0.1:8080",
                "127.0.0.1:6379",
                Some("127.0.0.1:6379"),
            ),
            (
                "http://localhost:8080",
                "127.0.0.1:6379",
                Some("127.0.0.1:6379"),
            ),
            ("http://[::1]:8080", "[::1]:6379", Some("[::1]:6379")),
            ("http://sur.example", "off", None),
        ];
        for (http_url, door, expected) in cases {
            let told = reached(http_url, door);
            assert_eq!(told.as_deref(), expected, "{http_url} {door}");
        }
    }

    #[test]
    fn a_door_is_at_an_address_or_left_out() {
        let settings = given("").over_defaults();
        assert_eq!(settings.grpc.to_string(), "127.0.0.1:50051");
        let settings = given("grpc = \"off\"").over_defaults();
        assert_eq!(settings.complete().unwrap().grpc, Door::Off);
        assert!(toml::from_str::<Given>("grpc = \"nowhere\"").is_err());
    }

    #[test]
    fn names_are_plain() {
        for name in ["", "a b", "../x", ".hidden", "ñ", &"n".repeat(33)] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!(check_name("n1").is_ok() && check_name("sede-sur.2").is_ok());
    }

    #[test]
    fn what_is_above_wins_and_secrets_are_masked() {
        let above = given("log = \"debug\"\nadmin_password = \"muy secreto\"");
        let below = given("log = \"warn\"\nname = \"n7\"");
        let settings = above.over(below).over_defaults().complete().unwrap();
        assert_eq!(
            (settings.log.as_str(), settings.name.as_str()),
            ("debug", "n7")
        );
        let shown = settings.shown();
        assert!(shown.contains("admin_password = \"(hidden)\"") && !shown.contains("secreto"));
        assert_eq!(given(&shown).over_defaults().complete().unwrap().name, "n7");
    }
}
