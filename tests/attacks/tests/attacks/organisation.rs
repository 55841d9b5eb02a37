//! Organisations of chance, and those in files.

use std::{collections::BTreeSet, fs, path::PathBuf};

use attacks::organisation::{Change, GROUPS_MAX, GROUPS_MIN, Member, MemberId, Month, Organisation, Origin, State};

fn small() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/small")
}

#[test]
fn the_same_seed_is_the_same_organisation_and_another_seed_another_one() {
    let organisation = Organisation::random(7, 20);
    assert_eq!(organisation, Organisation::random(7, 20));
    assert_ne!(organisation.states, Organisation::random(8, 20).states);
}

#[test]
fn a_seed_is_still_the_organisation_that_it_has_always_been() {
    let organisation = Organisation::random(1, 12);
    let sizes = organisation.states.each_ref().map(|state| {
        let sessions: u32 = state.attendance.iter().map(|row| row.sessions).sum();
        (state.members.len(), state.attendance.len(), sessions, state.referrals.len())
    });
    assert_eq!(sizes, [(202, 773, 1914, 54), (234, 1036, 2520, 64), (233, 1034, 2513, 64)]);
}

#[test]
fn its_seed_is_in_what_a_failed_test_prints() {
    let organisation = Organisation::random(4711, 12);
    let printed = [organisation.to_string(), format!("{organisation:?}")];
    assert!(
        printed.iter().all(|printed| printed.contains("seed 4711") && printed.contains("12 groups")),
        "{printed:?}"
    );
}

#[test]
fn organisations_have_as_many_groups_as_asked_for() {
    for groups in [GROUPS_MIN, 33, GROUPS_MAX] {
        assert_eq!(Organisation::random(2, groups).codes.groups.len(), usize::from(groups));
    }
}

#[test]
fn states_know_only_who_came_in_their_months() {
    for seed in 0..20 {
        let organisation = Organisation::random(seed, 12 + u16::try_from(seed).unwrap());
        for (state, months) in organisation.states.iter().zip([9, 12, 12]) {
            let came: BTreeSet<_> = state.attendance.iter().map(|row| row.member).collect();
            assert!(state.members.iter().map(|member| member.id).eq(came), "{organisation}");
            assert!(state.attendance.iter().all(|row| row.sessions > 0 && (0..months).contains(&row.month.0)));
            assert!(state.referrals.iter().all(|referral| i32::from(referral.quarter) < months / 3));
        }
    }
}

/// In the order in which they happen; late registers are as many as the group has members.
fn kinds(changes: &[Change]) -> Vec<&'static str> {
    let mut kinds: Vec<_> = changes
        .iter()
        .map(|change| match change {
            Change::Correction { .. } => "correction",
            Change::LateRegister { .. } => "late register",
            Change::Merge { .. } => "merge",
            Change::Erasure { .. } => "erasure",
        })
        .collect();
    kinds.dedup();
    kinds
}

#[test]
fn changes_of_chance_are_of_the_same_kinds_as_those_of_the_known_organisation() {
    let known = kinds(&Organisation::read(&small()).unwrap().changes);
    assert_eq!(known, ["correction", "late register", "merge", "erasure", "correction"]);
    for seed in 0..20 {
        let organisation = Organisation::random(seed, 12);
        assert_eq!(kinds(&organisation.changes), known, "{organisation}");
    }
}

#[test]
fn a_week_makes_one_erasure_and_one_correction_and_nothing_else() {
    for seed in 0..20 {
        let organisation = Organisation::random(seed, 18);
        let [.., Change::Erasure { member }, Change::Correction { member: corrected, month, .. }] =
            &organisation.changes[..]
        else {
            panic!("{organisation}")
        };
        let [_, before, after] = &organisation.states;
        let kept = before.attendance.iter().filter(|row| row.member != *member);
        let sessions = |rows: Vec<u32>| rows.iter().sum::<u32>();
        let (kept, now) = (kept.map(|row| row.sessions), after.attendance.iter().map(|row| row.sessions));
        assert_eq!(sessions(kept.collect()), sessions(now.collect()) + 1, "{organisation}");
        assert!(corrected != member && *month < Month(9), "{organisation}");
    }
}

#[test]
fn who_was_merged_or_erased_is_nowhere_afterwards() {
    for seed in 0..20 {
        let organisation = Organisation::random(seed, 18);
        let gone: BTreeSet<MemberId> = organisation
            .changes
            .iter()
            .filter_map(|change| match change {
                Change::Merge { gone, .. } => Some(*gone),
                Change::Erasure { member } => Some(*member),
                Change::Correction { .. } | Change::LateRegister { .. } => None,
            })
            .collect();
        let [.., last] = &organisation.states;
        assert_eq!(gone.len(), 4, "{organisation}");
        assert!(last.members.iter().all(|member| !gone.contains(&member.id)), "{organisation}");
        assert!(last.attendance.iter().all(|row| !gone.contains(&row.member)), "{organisation}");
        assert!(last.referrals.iter().all(|referral| !gone.contains(&referral.member)), "{organisation}");
    }
}

#[test]
fn files_that_are_read_and_written_have_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    Organisation::read(&small()).unwrap().write(folder.path()).unwrap();
    for state in ["state-1", "state-2", "state-3"] {
        for file in ["members.csv", "attendance.csv", "referrals.csv"] {
            let [known, written] =
                [small(), folder.path().to_owned()].map(|at| fs::read(at.join(state).join(file)).unwrap());
            assert!(written == known, "{state}/{file}");
        }
    }
}

#[test]
fn an_organisation_of_chance_is_the_same_when_its_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut organisation = Organisation::random(9, 30);
    organisation.write(folder.path()).unwrap();
    let read = Organisation::read(folder.path()).unwrap();
    assert_eq!(read.origin, Origin::Folder(folder.path().to_owned()));
    // Files do not tell the group of who was referred and never came.
    for (state, read) in organisation.states.iter_mut().zip(&read.states) {
        for (referral, read) in state.referrals.iter_mut().zip(&read.referrals) {
            referral.group = referral.group.and(read.group);
        }
    }
    assert_eq!(read.codes, organisation.codes);
    assert_eq!(read.changes, organisation.changes);
    assert!(read.states == organisation.states);
}

/// Means of 20 organisations of 60 groups; 200 of `gen_peer.py` have 1,203 members, 5,234 rows of attendance and 343
/// referrals in their second state.
#[test]
fn organisations_of_chance_are_as_large_and_as_mixed_as_those_of_the_known_generator() {
    let years: Vec<_> = (0..20).map(|seed| Organisation::random(seed, 60).states[1].clone()).collect();
    let mean = |of: &dyn Fn(&State) -> usize| years.iter().map(of).sum::<usize>() / years.len();
    let members = mean(&|state| state.members.len());
    let per_mille = |of: fn(&Member) -> bool| {
        mean(&|state| state.members.iter().filter(|member| of(member)).count()) * 1000 / members
    };
    let figures = [
        ("members", members, 1203, 40),
        ("rows of attendance", mean(&|state| state.attendance.len()), 5234, 200),
        ("referrals", mean(&|state| state.referrals.len()), 343, 20),
        ("women, per mille", per_mille(|member| member.gender == 0), 550, 15),
        ("with two scores, per mille", per_mille(|member| member.last.is_some()), 498, 15),
        (
            "of them better",
            per_mille(|member| member.last.is_some_and(|last| member.baseline >= Some(last + 6))),
            222,
            15,
        ),
    ];
    for (what, ours, known, off) in figures {
        assert!(ours.abs_diff(known) <= off, "{what}: {ours}, not about {known}");
    }
}
