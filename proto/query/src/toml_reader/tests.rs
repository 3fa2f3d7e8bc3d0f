//! Every mistake is reported, with its place.

use std::time::Duration;

use super::*;
use crate::number::Number;

fn mistakes(text: &str, read: impl Fn(&Section<'_>)) -> String {
    let file = File::parse(text, "f.toml").unwrap();
    read(&file.root());
    file.finish(Some(()))
        .map_or_else(|m| m.to_string(), |()| String::new())
}

#[test]
fn syntax_errors_name_the_place() {
    let found = File::parse("a = 1\nb = \n", "f.toml")
        .err()
        .unwrap()
        .to_string();
    assert!(
        found.starts_with("f.toml:2:5: this is not TOML: "),
        "{found}"
    );
}

#[test]
fn every_mistake_is_reported_in_order_of_the_text() {
    let text = "nmae = 'x'\n[limits]\nmemory = '1 GB of ram'\ntime = 3\nconcurrent = -1\nzz = 1\n";
    let found = mistakes(text, |root| {
        assert_eq!(root.need::<String>("name"), None);
        let limits = root.need_section("limits");
        assert_eq!(limits.get::<ByteSize>("memory"), None);
        assert_eq!(limits.get::<Duration>("time"), None);
        assert_eq!(limits.get::<u32>("concurrent"), None);
        assert!(
            root.need_section("absent")
                .need::<String>("silent")
                .is_none()
        );
    });
    let expected = "\
f.toml:1:1: `name` is missing, write `name = \"...\"`
f.toml:1:1: the table is missing, write `[absent]`
f.toml:1:1 nmae: unknown key, write `name`
f.toml:3:10 limits.memory: this is a string, write a number and a unit (B, kB, MB, GB, KiB, MiB, GiB) such as \"1 GiB\" or \"512 MiB\"
f.toml:4:8 limits.time: this is a whole number, write a number and a unit (ms, s, min, h, d) such as \"30 s\" or \"250 ms\"
f.toml:5:14 limits.concurrent: -1 is out of range, write a value from 0 to 4294967295
f.toml:6:1 limits.zz: unknown key, remove it; known here: `concurrent`, `memory`, `time`";
    assert_eq!(found, expected);
}

#[test]
fn quantities_with_units() {
    let file = File::parse("a = '1.5 h'\nb = '250ms'\nc = '1 GiB'\nd = '64 kB'\n", "f").unwrap();
    let root = file.root();
    assert_eq!(root.get("a"), Some(Duration::from_secs(5400)));
    assert_eq!(root.get("b"), Some(Duration::from_millis(250)));
    assert_eq!(root.get("c"), Some(ByteSize(1 << 30)));
    assert_eq!(root.get("d"), Some(ByteSize(64_000)));
    assert!(file.finish(Some(())).is_ok());
}

#[test]
fn numbers_are_read_as_written() {
    let file = File::parse("a = 0.10\nb = 1_000\nc = -2.5e-3\nd = inf", "f").unwrap();
    let root = file.root();
    assert_eq!(root.get("a"), Some(Number::new(1, -1)));
    assert_eq!(root.get("b"), Some(Number::from(1000_i64)));
    assert_eq!(root.get("c"), Some(Number::new(-25, -4)));
    assert_eq!(root.get::<Number>("d"), None);
    assert_eq!(root.get::<bool>("e"), None);
    let found = file.finish(Some(())).unwrap_err().to_string();
    assert_eq!(
        found,
        "f:4:5 d: this is a number with decimals, write a number such as `12` or `0.5`"
    );
}

#[test]
fn lists_words_and_dates() {
    let text = "
role = ['filter', 'grup', 3]
kind = 'cvs'
until = 2027-06-30
[[project]]
id = 'a'
[[project]]
id = 7
members = [{ name = 'x', kee = 1 }]
[table.person]
[table.death]
";
    let kinds = [("csv", 1), ("parquet", 2)];
    let found = mistakes(text, |root| {
        let roles = root.value("role").unwrap().as_list().unwrap();
        let words: Vec<Option<i32>> = roles
            .iter()
            .map(|role| role.word(&[("filter", 1), ("group", 2)]))
            .collect();
        assert_eq!(words, [Some(1), None, None]);
        assert_eq!(root.one_of("kind", &kinds), None);
        assert_eq!(root.get("until"), Some(jiff::civil::date(2027, 6, 30)));
        let projects = root.sections("project");
        assert_eq!(projects[0].need::<String>("id").as_deref(), Some("a"));
        assert_eq!(projects[1].need::<String>("id"), None);
        assert!(projects[0].sections("members").is_empty());
        for member in projects[1].sections("members") {
            assert_eq!(member.need::<String>("name").as_deref(), Some("x"));
            assert_eq!(member.get::<String>("key"), None);
        }
        let names: Vec<String> = root
            .named("table")
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["person", "death"]);
    });
    let expected = "\
f.toml:2:19 role[2]: unknown word `grup`, write \"group\"
f.toml:2:27 role[3]: this is a whole number, write a string such as \"text\"
f.toml:3:8 kind: unknown word `cvs`, write \"csv\"
f.toml:8:6 project[2].id: this is a whole number, write a string such as \"text\"
f.toml:9:26 project[2].members[1].kee: unknown key, write `key`";
    assert_eq!(found, expected);
}

#[test]
fn spanned_values_remember_their_place() {
    let found = mistakes("\n  a = 'x'\n", |root| {
        let a: Spanned<String> = root.need("a").unwrap();
        assert_eq!(a.value, "x");
        root.file()
            .mistake(a.at, a.path, "no such thing, write `y`");
    });
    assert_eq!(found, "f.toml:2:7 a: no such thing, write `y`");
}

#[test]
fn nearest_word() {
    assert_eq!(nearest("bouns", ["bounds", "bands"]), Some("bounds"));
    assert_eq!(nearest("rolse", ["role", "rows"]), Some("role"));
    assert_eq!(nearest("zzz", ["role", "rows"]), None);
    assert_eq!(edits("abcd", "abdc"), 1);
    assert_eq!(edits("", "abc"), 3);
}

#[test]
fn a_missing_value_without_mistakes_is_still_an_error() {
    let file = File::parse("", "f").unwrap();
    assert_eq!(
        file.finish::<()>(None).unwrap_err().to_string(),
        "f:1:1: could not be read, write it anew"
    );
}
