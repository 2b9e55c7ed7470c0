//! The simulated disk forgets what it should, and only that.

#![allow(clippy::unwrap_used)]

use std::io;
use std::path::Path;

use engine::env::{Disk, File};
use sim::{Crash, Dice, Honesty, SimDisk};

const DIR: &str = "/data";
const FILE: &str = "/data/file";

/// A disk with a directory and an empty file in it, both durable.
fn disk_with_file(seed: u64) -> SimDisk {
    let disk = SimDisk::new(Dice::new(seed, 0));
    disk.create_dir_all(Path::new(DIR)).unwrap();
    disk.open(Path::new(FILE), true).unwrap();
    disk.sync_dir(Path::new(DIR)).unwrap();
    disk
}

fn crash(disk: &SimDisk, crash: Crash) {
    disk.power_off(crash);
    disk.power_on();
}

fn contents(disk: &SimDisk, path: &str) -> Vec<u8> {
    let file = disk.open(Path::new(path), false).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    assert_eq!(file.read_at(&mut bytes, 0).unwrap(), bytes.len());
    bytes
}

#[test]
fn synced_bytes_survive_every_crash() {
    for mode in Crash::ALL {
        for seed in 0..50 {
            let disk = disk_with_file(seed);
            let file = disk.open(Path::new(FILE), false).unwrap();
            file.write_all_at(&[1; 2_000], 0).unwrap();
            file.sync_data().unwrap();
            file.write_all_at(&[2; 2_000], 2_000).unwrap();
            crash(&disk, mode);
            assert_eq!(
                contents(&disk, FILE)[..2_000],
                [1; 2_000],
                "{mode:?}, seed {seed}"
            );
        }
    }
}

#[test]
fn unsynced_bytes_are_lost_kept_torn_or_scattered() {
    let after = |seed, mode| {
        let disk = disk_with_file(seed);
        let file = disk.open(Path::new(FILE), false).unwrap();
        for at in 0..10 {
            file.write_all_at(&[7; 1_000], at * 1_000).unwrap();
        }
        crash(&disk, mode);
        contents(&disk, FILE)
    };
    let is_whole = |bytes: &Vec<u8>| bytes == &vec![7; 10_000];
    let has_hole = |bytes: &Vec<u8>| bytes.contains(&0);
    let all = |mode| (0..100).map(|seed| after(seed, mode)).collect::<Vec<_>>();

    assert!(all(Crash::LoseUnsynced).iter().all(Vec::is_empty));
    assert!(all(Crash::KeepAll).iter().all(is_whole));
    assert!(all(Crash::KillOnly).iter().all(is_whole));
    let torn = all(Crash::Torn);
    assert!(
        !torn.iter().any(has_hole),
        "what is kept in order has no holes"
    );
    assert!(
        torn.iter().any(|bytes| bytes.len() % 1_000 != 0),
        "some write is torn"
    );
    assert!(
        all(Crash::Sectors).iter().any(has_hole),
        "some sector is lost before a kept one"
    );
}

#[test]
fn a_name_is_durable_after_its_directory_was_synced() {
    let disk = disk_with_file(0);
    let new = Path::new("/data/new");
    disk.open(new, true).unwrap().sync_data().unwrap();
    crash(&disk, Crash::LoseUnsynced);
    assert_eq!(disk.list(Path::new(DIR)).unwrap(), ["file"]);

    disk.open(new, true).unwrap();
    disk.sync_dir(Path::new(DIR)).unwrap();
    disk.remove(Path::new(FILE)).unwrap();
    crash(&disk, Crash::LoseUnsynced);
    assert_eq!(disk.list(Path::new(DIR)).unwrap(), ["file", "new"]);
}

#[test]
fn a_directory_nobody_synced_takes_its_files_with_it() {
    let disk = SimDisk::new(Dice::new(0, 0));
    disk.create_dir_all(Path::new("/a/b")).unwrap();
    disk.open(Path::new("/a/b/file"), true)
        .unwrap()
        .sync_data()
        .unwrap();
    crash(&disk, Crash::LoseUnsynced);
    let missing = disk.list(Path::new("/a/b")).unwrap_err();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_rename_replaces_at_once_and_for_good_after_a_sync() {
    for mode in Crash::ALL {
        for seed in 0..20 {
            let disk = disk_with_file(seed);
            let old = disk.open(Path::new(FILE), false).unwrap();
            old.write_all_at(b"old", 0).unwrap();
            old.sync_data().unwrap();
            let new = disk.open(Path::new("/data/new"), true).unwrap();
            new.write_all_at(b"new", 0).unwrap();
            new.sync_data().unwrap();
            disk.rename(Path::new("/data/new"), Path::new(FILE))
                .unwrap();
            assert_eq!(contents(&disk, FILE), b"new");
            let synced = seed % 2 == 0;
            if synced {
                disk.sync_dir(Path::new(DIR)).unwrap();
            }
            crash(&disk, mode);
            let left = contents(&disk, FILE);
            assert!(
                left == b"new" || (!synced && left == b"old"),
                "{mode:?}, seed {seed}"
            );
        }
    }
}

#[test]
fn what_outlives_a_kill_is_no_more_durable_than_before() {
    let disk = disk_with_file(0);
    disk.open(Path::new(FILE), false)
        .unwrap()
        .write_all_at(b"cached", 0)
        .unwrap();
    crash(&disk, Crash::KillOnly);
    assert_eq!(contents(&disk, FILE), b"cached");
    crash(&disk, Crash::LoseUnsynced);
    assert_eq!(contents(&disk, FILE), b"");
}

#[test]
fn a_file_opened_before_a_crash_is_dead_after_it() {
    let disk = disk_with_file(0);
    let file = disk.open(Path::new(FILE), false).unwrap();
    disk.power_off(Crash::KeepAll);
    assert!(disk.open(Path::new(FILE), false).is_err());
    disk.power_on();
    assert!(file.write_all_at(b"late", 0).is_err());
    assert!(file.sync_data().is_err());
    assert_eq!(contents(&disk, FILE), b"");
}

#[test]
fn a_full_disk_takes_what_fits_and_recovers() {
    let disk = disk_with_file(0);
    disk.set_capacity_bytes(Some(1_500));
    let file = disk.open(Path::new(FILE), false).unwrap();
    file.write_all_at(&[1; 1_000], 0).unwrap();
    let full = file.write_all_at(&[2; 1_000], 1_000).unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    assert_eq!(file.len().unwrap(), 1_500);
    file.write_all_at(&[3; 1_500], 0).unwrap();
    disk.set_capacity_bytes(None);
    file.write_all_at(&[4; 1_000], 1_000).unwrap();
    assert_eq!(disk.used_bytes(), 2_000);
}

#[test]
fn a_crash_comes_at_the_chosen_change() {
    for k in 1..=5 {
        let disk = disk_with_file(k);
        let file = disk.open(Path::new(FILE), false).unwrap();
        disk.crash_at(k, Crash::LoseUnsynced);
        let mut synced = 0;
        for at in 0..3_u64 {
            let written = file.write_all_at(&[1], at).and_then(|()| file.sync_data());
            synced += u64::from(written.is_ok());
        }
        assert!(!disk.is_on());
        disk.power_on();
        assert_eq!(synced, (k - 1) / 2);
        assert_eq!(contents(&disk, FILE).len() as u64, synced);
    }
}

#[test]
fn a_lying_disk_loses_what_it_said_was_durable() {
    let disk = disk_with_file(0);
    disk.set_honesty(Honesty::Lying);
    let file = disk.open(Path::new(FILE), false).unwrap();
    file.write_all_at(b"promised", 0).unwrap();
    file.sync_data().unwrap();
    crash(&disk, Crash::LoseUnsynced);
    assert_eq!(contents(&disk, FILE), b"");
}

#[test]
fn a_late_disk_keeps_what_the_sync_before_promised() {
    let disk = disk_with_file(0);
    disk.set_honesty(Honesty::Late);
    let file = disk.open(Path::new(FILE), false).unwrap();
    file.write_all_at(b"first", 0).unwrap();
    file.sync_data().unwrap();
    file.write_all_at(b"second", 5).unwrap();
    file.sync_data().unwrap();
    crash(&disk, Crash::LoseUnsynced);
    assert_eq!(contents(&disk, FILE), b"first");
}

#[test]
fn a_disk_may_lie_about_databases_alone() {
    let disk = disk_with_file(0);
    disk.set_honesty(Honesty::DatabasesLie);
    for (name, kept) in [(FILE, &b"kept"[..]), ("/state.db", b"")] {
        let file = disk.open(Path::new(name), true).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        file.write_all_at(b"kept", 0).unwrap();
        file.sync_data().unwrap();
        crash(&disk, Crash::LoseUnsynced);
        assert_eq!(contents(&disk, name), kept);
    }
}

#[test]
fn copies_show_what_is_read_and_what_is_durable_and_stand_alone() {
    let disk = disk_with_file(0);
    let file = disk.open(Path::new(FILE), false).unwrap();
    file.write_all_at(b"synced", 0).unwrap();
    file.sync_data().unwrap();
    file.write_all_at(b"cached", 0).unwrap();
    let (copy, durable) = (disk.copy(), disk.durable_copy());
    file.write_all_at(b"later!", 0).unwrap();
    assert_eq!(contents(&copy, FILE), b"cached");
    assert_eq!(contents(&durable, FILE), b"synced");
    let other = copy.open(Path::new(FILE), false).unwrap();
    other.write_all_at(b"apart!", 0).unwrap();
    assert_eq!(contents(&disk, FILE), b"later!");
}

#[test]
fn an_erased_disk_is_as_new() {
    let disk = disk_with_file(0);
    assert_eq!(disk.made("file"), 1);
    disk.power_off(Crash::KeepAll);
    disk.erase();
    disk.power_on();
    assert!(disk.files_under(Path::new("/")).is_empty());
    assert!(disk.open(Path::new(FILE), false).is_err());
}

#[test]
fn failing_syncs_make_nothing_durable() {
    let disk = disk_with_file(0);
    disk.fail_syncs();
    let file = disk.open(Path::new(FILE), false).unwrap();
    file.write_all_at(b"never", 0).unwrap();
    assert!(file.sync_data().is_err());
    crash(&disk, Crash::LoseUnsynced);
    assert_eq!(contents(&disk, FILE), b"");
}

#[test]
fn a_flipped_byte_is_on_the_medium() {
    let disk = disk_with_file(0);
    let file = disk.open(Path::new(FILE), false).unwrap();
    file.write_all_at(b"abc", 0).unwrap();
    file.sync_data().unwrap();
    disk.flip_byte(Path::new(FILE), 1).unwrap();
    assert_ne!(contents(&disk, FILE), b"abc");
    crash(&disk, Crash::LoseUnsynced);
    assert_ne!(contents(&disk, FILE), b"abc");
    assert!(disk.flip_byte(Path::new(FILE), 3).is_err());
}

#[test]
fn removed_files_give_their_space_back_when_the_last_user_is_gone() {
    let disk = disk_with_file(0);
    let file = disk.open(Path::new(FILE), false).unwrap();
    file.write_all_at(&[1; 100], 0).unwrap();
    disk.remove(Path::new(FILE)).unwrap();
    assert_eq!(disk.used_bytes(), 100);
    let mut still = [0; 100];
    assert_eq!(file.read_at(&mut still, 0).unwrap(), 100);
    drop(file);
    assert_eq!(disk.used_bytes(), 0);
    assert!(disk.files_under(Path::new("/")).is_empty());
}
