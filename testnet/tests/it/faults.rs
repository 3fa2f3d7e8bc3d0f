//! Whoever is killed while a question runs: nothing is lost and nothing answered twice.

use quorate_testnet::faults;

use crate::support;

#[test]
fn nothing_is_lost_or_answered_twice_whoever_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut network = faults::start(support::exe(), dir.path()).unwrap();
    for scenario in faults::SCENARIOS {
        let verdict = faults::play(&mut network, scenario);
        assert_eq!(verdict.wrong, None, "{}", verdict.name);
    }
}
