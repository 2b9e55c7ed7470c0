//! Files: what members may have at most.

use domain::command::Thing;
use domain::files::queries::{GetUsage, Usage};
use domain::files::{
    BYTES_PER_OWNER_MAX, Condition, FileName, HASH_BYTES, NewFile, SIZE_MAX_BYTES, chunks_of,
};
use domain::{Action, Actor, Outcome, Proposal, Query, Rejection};

use crate::world::World;

/// Ana is account 2 of the beginning.
const ANA: i64 = 2;

fn put(world: &mut World, name: &str, size_bytes: i64) -> Outcome {
    let hashes = vec![7; chunks_of(size_bytes) as usize * HASH_BYTES];
    let file = NewFile {
        name: FileName::parse(name).unwrap(),
        private: false,
        area: None,
        media_type: "text/plain".to_owned(),
        size_bytes,
        root: [7; 32],
        chunks: hashes.into(),
        tags: Vec::new(),
        copies: 3,
    };
    let condition = Condition::Any;
    world.apply(&Proposal {
        actor: Actor::OnBehalf {
            account: ANA,
            at_ms: i64::MAX,
        },
        request: None,
        action: Action::PutFile { file, condition },
    })
}

#[test]
fn a_member_has_at_most_so_many_bytes_and_replacing_makes_room() {
    let mut world = World::begun();
    let full = BYTES_PER_OWNER_MAX / SIZE_MAX_BYTES;
    put(&mut world, "one byte", 1).result.unwrap();
    for number in 1..full {
        let name = number.to_string();
        put(&mut world, &name, SIZE_MAX_BYTES).result.unwrap();
    }
    let refused = Rejection::LimitReached {
        what: Thing::FileByte,
        limit: BYTES_PER_OWNER_MAX,
    };
    let one_more = put(&mut world, "one more", SIZE_MAX_BYTES);
    assert_eq!(one_more.result, Err(refused.clone()));
    put(&mut world, "1", SIZE_MAX_BYTES).result.unwrap();
    put(&mut world, "fits", SIZE_MAX_BYTES - 1).result.unwrap();
    assert_eq!(put(&mut world, "not this", 1).result, Err(refused));
    put(&mut world, "nothing", 0).result.unwrap();
    put(&mut world, "1", 5).result.unwrap();
    put(&mut world, "this", 1).result.unwrap();
    let (own, all) = GetUsage { viewer: ANA }.run(&mut world.sql()).unwrap();
    assert_eq!(own, all);
    let size_bytes = BYTES_PER_OWNER_MAX - SIZE_MAX_BYTES + 6;
    let files = full + 3;
    assert_eq!(own, Usage { files, size_bytes });
}
