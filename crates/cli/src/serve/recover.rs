//! Starting over from one survivor.

use std::path::Path;

use engine::Recovered;
use engine::production::Production;

use super::{Data, listen};
use crate::failure::{Failure, Outcome};

/// Makes the node in `dir`, which must not run, the only member of a new cluster.
pub fn recover(dir: &Path) -> Outcome<Recovered> {
    if !dir.is_dir() {
        return Err(Failure::usage(format!(
            "{} is not a directory",
            dir.display()
        )));
    }
    let _data = Data::claim(dir)?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::failed(format!("cannot start threads: {error}")))?;
    runtime.block_on(async {
        // The engine's world has a place for peers to connect to; nobody learns of this one.
        let nobody = listen::bind(([127, 0, 0, 1], 0).into(), "nobody", "nothing").await?;
        let recovered = engine::recover(&Production::new(nobody), dir).await;
        recovered.map_err(|error| Failure::failed(format!("{}: {error}", dir.display())))
    })
}
