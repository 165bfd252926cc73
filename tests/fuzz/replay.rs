//! Replays the kept inputs of every target, and mutations of them that are the same on every run.

mod mutate;

use std::fs;
use std::path::{Path, PathBuf};

use fuzz::{TARGETS, Target};
use mutate::Mutator;

/// Shows the input that a target failed on.
struct Shown<'a>(&'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the input was: {:?}", String::from_utf8_lossy(self.0));
        }
    }
}

/// The contents of all files below a folder, in the order of their names.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let read = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![fs::read(path).unwrap()] };
    paths.into_iter().flat_map(read).collect()
}

fn replay(name: &str) {
    let target: &Target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut inputs = files(&root.join("corpus").join(name));
    for seeds in target.seeds {
        inputs.extend(files(&root.join("../..").join(seeds)));
    }
    assert!(!inputs.is_empty());
    let check = |input: &[u8]| {
        let _shown = Shown(input);
        (target.check)(input);
    };
    inputs.iter().for_each(|input| check(input));
    for number in 0..target.mutations {
        check(&Mutator::new(number).mutation(&inputs));
    }
}

macro_rules! replays {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )*

        #[test]
        fn every_target_is_replayed() {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

replays!(bearer code csv cursor event id key message money request signature terms);
