//! Random commands over a small world: few members, areas, posts, keys and request ids, so that
//! they meet each other all the time.

use domain::command::Which;
use domain::names::{AreaName, Name};
use domain::polls::{Listed, Majority, NewPoll, Voters};
use domain::{Action, Actor, Proposal, RequestId};

use crate::keys;
use crate::world::START_MS;

/// Members besides the administrator, who is account 1.
pub const MEMBERS: [&str; 3] = ["Ana", "Beto", "Carla"];

/// Everybody's accounts.
pub const ACCOUNTS: [i64; 4] = [1, 2, 3, 4];

const AREAS: [&str; 4] = ["Obras", "Fiestas", "Actas", "Anuncios"];

const WORDS: [&str; 6] = ["reunión", "tejado", "lunes", "paella", "ascensor", "cuotas"];

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ 0x9E37_79B9_7F4A_7C15)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// The members, signed in, and two areas.
pub fn beginning() -> Vec<Proposal> {
    let mut proposals = vec![free(
        Actor::System,
        Action::Bootstrap {
            password_hash: hash(),
        },
    )];
    for name in MEMBERS {
        let name = Name::parse(name).unwrap();
        proposals.push(free(
            Actor::Anonymous,
            Action::Register {
                name,
                password_hash: hash(),
            },
        ));
    }
    for account in ACCOUNTS {
        proposals.push(free(Actor::Anonymous, log_in(account, session(account, 0))));
    }
    for name in &AREAS[..2] {
        proposals.push(free(Actor::System, add_area(name)));
    }
    proposals
}

/// Anything.
pub fn proposal(rng: &mut Rng) -> Proposal {
    let actor = match rng.below(12) {
        0 => Actor::Anonymous,
        1 => Actor::System,
        2..6 => Actor::OnBehalf {
            account: rng.pick(&ACCOUNTS),
            at_ms: rng.below(9) as i64,
        },
        _ => Actor::Session(some_session(rng)),
    };
    let request = rng.one_in(3).then(|| RequestId {
        key: format!("r{}", rng.below(40)),
        fingerprint: [rng.below(2) as u8; 16],
    });
    let action = match rng.below(11) {
        0 if rng.one_in(2) => account_action(rng),
        1 => area_action(rng),
        2 if rng.one_in(2) => crate::lotteries::action(rng),
        2 => keys::action(rng),
        3 => poll_action(rng),
        _ => post_action(rng),
    };
    Proposal {
        actor,
        request,
        action,
    }
}

/// Something about polls, and by whom a ballot is if it is one.
pub fn voting(rng: &mut Rng) -> (Proposal, String) {
    let account = rng.pick(&ACCOUNTS);
    let action = poll_action(rng);
    let (actor, voter) = match &action {
        Action::SettlePoll { .. } => (Actor::System, String::new()),
        Action::CastBallot {
            voter: Some(cookie),
            ..
        } if rng.one_in(2) => (Actor::Anonymous, format!("cookie {}", cookie[0])),
        _ => {
            let at_ms = 0;
            (
                Actor::OnBehalf { account, at_ms },
                format!("account {account}"),
            )
        }
    };
    (free(actor, action), voter)
}

fn poll_action(rng: &mut Rng) -> Action {
    let poll = 1 + rng.below(12) as i64;
    match rng.below(20) {
        0..2 => Action::CreatePoll {
            poll: new_poll(rng),
        },
        2 if rng.one_in(3) => Action::ClosePoll { poll },
        3 => Action::SettlePoll { poll },
        _ => Action::CastBallot {
            poll,
            choice: Some(rng.below(5) as u32).filter(|choice| *choice > 0),
            code_hash: [rng.below(200) as u8; 32],
            voter: rng.one_in(2).then(|| [rng.below(9) as u8; 32]),
        },
    }
}

/// A poll with three options that closes soon, late or never.
fn new_poll(rng: &mut Rng) -> NewPoll {
    let listed = |name: &str, weight| Listed {
        name: Name::parse(name).unwrap(),
        weight,
    };
    let voters = match rng.below(3) {
        0 => Voters::Members,
        1 => Voters::Anyone,
        _ => Voters::Listed(vec![listed("Ana", 7), listed("Carla", 2)]),
    };
    let closes_at_ms = START_MS + 1_000 * rng.below(600) as i64;
    NewPoll {
        question: rng.pick(&WORDS).to_owned(),
        options: WORDS[..3].iter().map(|word| (*word).to_owned()).collect(),
        voters,
        live: rng.one_in(2),
        open_ballot: rng.one_in(2),
        opens_at_ms: None,
        closes_at_ms: rng.one_in(2).then_some(closes_at_ms),
        quorum: None,
        majority: Majority::Simple,
        from_list: None,
    }
}

fn account_action(rng: &mut Rng) -> Action {
    let account = rng.pick(&ACCOUNTS);
    match rng.below(9) {
        0 => Action::Register {
            name: Name::parse(rng.pick(&["ana", "Dora", "Admin", "Eva"])).unwrap(),
            password_hash: hash(),
        },
        1 => Action::LogOut,
        2 => Action::LogOutEverywhere,
        3 => Action::ChangePassword {
            old_hash: hash(),
            new_hash: hash(),
        },
        4 => Action::SetAdministrator {
            name: Name::parse(rng.pick(&["Ana", "Beto", "admin", "Nadie"])).unwrap(),
            administrator: rng.one_in(2),
        },
        5 => Action::SetFeedToken {
            token_hash: [rng.below(4) as u8; 32],
        },
        6 => Action::Bootstrap {
            password_hash: hash(),
        },
        _ => log_in(account, some_session(rng)),
    }
}

fn area_action(rng: &mut Rng) -> Action {
    let area = some_area(rng);
    match rng.below(8) {
        0 if rng.one_in(4) => Action::RemoveArea { area },
        0 | 1 => Action::EditArea {
            area,
            name: rng
                .one_in(2)
                .then(|| AreaName::parse(rng.pick(&AREAS)).unwrap()),
            description: rng.one_in(2).then(|| "Ruido".to_owned()),
        },
        2 => Action::Subscribe { area },
        3 => Action::Unsubscribe { area },
        _ => add_area(rng.pick(&AREAS)),
    }
}

fn post_action(rng: &mut Rng) -> Action {
    let area = some_area(rng);
    let post = 1 + rng.below(12) as i64;
    match rng.below(20) {
        0 => Action::DeletePost { area, post },
        1 => Action::HidePost {
            area,
            post,
            reason: "spam".to_owned(),
        },
        2..10 => Action::Mark {
            area,
            which: some_posts(rng, post),
            read: !rng.one_in(3),
        },
        _ => Action::Publish {
            area,
            title: format!("{} y {}", rng.pick(&WORDS), rng.pick(&WORDS)),
            text: if rng.one_in(20) {
                String::new()
            } else {
                rng.pick(&WORDS).to_owned()
            },
        },
    }
}

fn some_posts(rng: &mut Rng, post: i64) -> Which {
    match rng.below(12) {
        0 => Which::All,
        1 | 2 => Which::UpTo(post),
        _ => Which::One(post),
    }
}

/// Low ids are met more often, so that some areas live long.
fn some_area(rng: &mut Rng) -> i64 {
    let most = 1 + rng.below(4);
    1 + rng.below(most) as i64
}

fn some_session(rng: &mut Rng) -> [u8; 32] {
    let account = rng.pick(&ACCOUNTS);
    let nth = if rng.one_in(3) {
        1 + rng.below(3) as u8
    } else {
        0
    };
    session(account, nth)
}

/// The token hash of an account's nth session.
fn session(account: i64, nth: u8) -> [u8; 32] {
    let mut token_hash = [nth; 32];
    token_hash[0] = account as u8;
    token_hash
}

fn log_in(account: i64, token_hash: [u8; 32]) -> Action {
    let lifetime_ms = 3_600_000 * (1 + account);
    Action::LogIn {
        account,
        password_hash: hash(),
        token_hash,
        lifetime_ms,
    }
}

fn add_area(name: &str) -> Action {
    Action::AddArea {
        name: AreaName::parse(name).unwrap(),
        description: String::new(),
    }
}

fn free(actor: Actor, action: Action) -> Proposal {
    Proposal {
        actor,
        request: None,
        action,
    }
}

fn hash() -> String {
    "$argon2id$test".to_owned()
}
