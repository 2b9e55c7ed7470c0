//! Random operations on the store.

use domain::Action;

use crate::random::Rng;

/// A placeholder until the model is written.
pub fn action(rng: &mut Rng) -> Action {
    let key = format!("k{}", rng.below(3));
    let write = match rng.below(4) {
        0 => domain::store::Write::Delete {
            keys: vec![key.into()],
        },
        _ => domain::store::Write::set(key, vec![rng.below(9) as u8; 3]),
    };
    Action::Store {
        conditions: Vec::new(),
        operations: vec![write.into()],
    }
}
