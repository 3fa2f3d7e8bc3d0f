//! The rules of the house, as tests: who may import whom, how long a file or a function may be,
//! and that every file says what it is for. See `docs/ARCHITECTURE.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// Lines a file may have outside its tests.
const FILE_CEILING: usize = 600;
/// Lines a function may have, from signature to closing brace.
const FUNCTION_CEILING: usize = 80;

/// Which of our crates each of our crates may depend on.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("quorate-query", &[]),
    ("quorate-identity", &[]),
    ("quorate-governance", &["quorate-query", "quorate-identity"]),
    (
        "quorate-wire",
        &["quorate-query", "quorate-identity", "quorate-evidence"],
    ),
    ("quorate-disclosure", &["quorate-query"]),
    ("quorate-evidence", &["quorate-query", "quorate-identity"]),
    (
        "quorate-node",
        &[
            "quorate-query",
            "quorate-identity",
            "quorate-wire",
            "quorate-governance",
            "quorate-disclosure",
            "quorate-evidence",
        ],
    ),
    (
        "quorate-coordinator",
        &[
            "quorate-query",
            "quorate-identity",
            "quorate-wire",
            "quorate-evidence",
        ],
    ),
    (
        "quorate-sdk",
        &[
            "quorate-query",
            "quorate-identity",
            "quorate-wire",
            "quorate-governance",
            "quorate-evidence",
        ],
    ),
    (
        "quorate-testnet",
        &[
            "quorate-query",
            "quorate-identity",
            "quorate-wire",
            "quorate-governance",
            "quorate-disclosure",
            "quorate-evidence",
            "quorate-node",
            "quorate-coordinator",
            "quorate-sdk",
        ],
    ),
];

/// Outside crates that only the named crates of ours may depend on.
const KEPT_TO: &[(&str, &[&str])] = &[
    ("datafusion", &["quorate-node", "quorate-testnet"]),
    ("prost", &["quorate-wire"]),
    ("tonic-prost", &["quorate-wire"]),
    ("sqlparser", &["quorate-query"]),
];

/// Words that only the named folder may write: where a thing is set up, once.
const WRITTEN_ONLY_IN: &[(&str, &str)] = &[
    ("ServerConfig::builder", "proto/identity/"),
    ("ClientConfig::builder", "proto/identity/"),
    ("Ed25519KeyPair", "proto/identity/"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_path_buf()
}

/// Every `.rs` file of the workspace that is ours, by path relative to the root.
fn sources() -> BTreeMap<String, String> {
    fn walk(dir: &Path, root: &Path, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(dir).expect("a readable folder").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    walk(&path, root, found);
                }
            } else if name.ends_with(".rs") {
                let relative = path.strip_prefix(root).expect("below the root");
                let text = fs::read_to_string(&path).expect("UTF-8 source");
                found.insert(relative.to_string_lossy().into_owned(), text);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&root(), &root(), &mut found);
    assert!(
        found.len() > 20,
        "the walk found only {} files",
        found.len()
    );
    found
}

fn is_test_code(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

#[test]
fn crates_import_only_what_the_plan_allows() {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata");
    let allowed: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let Some(may) = allowed.get(name) else {
            wrong.push(format!("{name} is not on the plan of the house"));
            continue;
        };
        for dependency in &package.dependencies {
            let other = dependency.name.as_str();
            if other.starts_with("quorate-") && !may.contains(&other) {
                wrong.push(format!("{name} imports {other}"));
            }
            if let Some((_, keepers)) = KEPT_TO.iter().find(|(kept, _)| *kept == other)
                && !keepers.contains(&name)
            {
                wrong.push(format!(
                    "{name} imports {other}, which is kept to {keepers:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn set_ups_stand_in_one_place() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if path.ends_with("house.rs") || is_test_code(&path) {
            continue;
        }
        let body = without_tests(&text);
        for (word, home) in WRITTEN_ONLY_IN {
            if body.contains(word) && !path.starts_with(home) {
                wrong.push(format!("{path} writes {word}, which belongs in {home}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The text without its `#[cfg(test)]` modules.
fn without_tests(text: &str) -> String {
    let Ok(file) = syn::parse_file(text) else {
        return text.to_owned();
    };
    let hidden: BTreeSet<usize> = file
        .items
        .iter()
        .filter(|item| is_cfg_test(item))
        .flat_map(|item| item.span().start().line..=item.span().end().line)
        .collect();
    let kept = text
        .lines()
        .enumerate()
        .filter(|(n, _)| !hidden.contains(&(n + 1)));
    kept.map(|(_, line)| line).collect::<Vec<_>>().join("\n")
}

fn is_cfg_test(item: &syn::Item) -> bool {
    let syn::Item::Mod(module) = item else {
        return false;
    };
    module.attrs.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Ident>()
                .is_ok_and(|word| word == "test")
    })
}

#[test]
fn files_and_functions_stay_below_the_ceiling() {
    struct Lengths(Vec<(String, usize)>);
    impl Lengths {
        fn add(&mut self, signature: &syn::Signature, end: usize) {
            let lines = end + 1 - signature.span().start().line;
            self.0.push((signature.ident.to_string(), lines));
        }
    }
    impl<'ast> Visit<'ast> for Lengths {
        fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
            self.add(&item.sig, item.block.span().end().line);
            visit::visit_item_fn(self, item);
        }
        fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
            self.add(&item.sig, item.block.span().end().line);
            visit::visit_impl_item_fn(self, item);
        }
    }

    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if is_test_code(&path) {
            continue;
        }
        let body = without_tests(&text);
        let lines = body.lines().count();
        if lines > FILE_CEILING {
            wrong.push(format!(
                "{path} has {lines} lines: which second idea lives in it?"
            ));
        }
        let file = syn::parse_file(&body).unwrap_or_else(|e| panic!("{path}: {e}"));
        let mut lengths = Lengths(Vec::new());
        lengths.visit_file(&file);
        let long = lengths
            .0
            .into_iter()
            .filter(|(_, lines)| *lines > FUNCTION_CEILING);
        wrong.extend(long.map(|(name, lines)| format!("{path}: fn {name} has {lines} lines")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| path)
        .collect();
    assert!(silent.is_empty(), "no module documentation: {silent:?}");
}

#[test]
fn every_crate_takes_the_lint_table() {
    for (path, text) in manifests() {
        assert!(
            text.contains("[lints]\nworkspace = true"),
            "{path} does not inherit the lints"
        );
    }
}

fn manifests() -> Vec<(String, String)> {
    let members = [
        "proto/query",
        "proto/identity",
        "proto/wire",
        "proto/governance",
        "node-agent",
        "coordinator",
        "sdk",
        "testnet",
    ];
    let read = |member: &&str| {
        let path = format!("{member}/Cargo.toml");
        let text = fs::read_to_string(root().join(&path)).expect("a manifest");
        (path, text)
    };
    members.iter().map(read).collect()
}

#[test]
fn no_test_is_ignored_and_no_promise_left_open() {
    let words = [
        concat!("#[", "ignore"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("FIX", "ME"),
    ];
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for word in words {
            if text.contains(word) && !path.ends_with("house.rs") {
                wrong.push(format!("{path}: {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn links_between_documents_lead_somewhere() {
    fn pages(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).expect("a readable folder").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                pages(&path, found);
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    pages(&root(), &mut found);
    let mut dead = Vec::new();
    for page in found {
        let text = fs::read_to_string(&page).expect("UTF-8");
        for after in text.split("](").skip(1) {
            let target = after.split([')', ' ']).next().unwrap_or_default();
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
                continue;
            }
            if !page.parent().expect("a folder").join(file).exists() {
                dead.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}
