//! Whole rings in one thread, from one seed: discrete events, and the code that real nodes run.
//!
//! ```text
//!   experiment: found, fail, join, leave, look up ─▶ World ─▶ what happened
//!                                                     │ packets, with their delays, and deadlines
//!                                                     ├─▶ Node::handle
//!                                                     └─▶ Checker, after every step
//! ```

mod checker;
mod churn;
mod load;
mod lookups;
mod paper;
mod summary;
mod world;

pub use checker::{Broken, Checker};
pub use churn::{Churn, Churned};
pub use load::{Load, load};
pub use lookups::{Outcome, Plan};
pub use paper::{
    FIGURE_10, Figure10, LOAD_LAW, LoadLaw, Measured, TABLE_2, TABLE_2_NODES, TABLE_2_RINGS,
    TABLE_2_SUCCESSORS, Table2,
};
pub use summary::{Histogram, Summary};
pub use world::{Delay, Happening, Packet, Violation, World};
