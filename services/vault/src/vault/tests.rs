//! The vault on a real file, and an attacker with that file and the key-encryption key.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::{KekError, SealedAs};
use domain::member::Field;

/// Different each time, which is all that these tests need of it.
fn fresh() -> [u8; 56] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut bytes = [0; 56];
    let digest = blake3::hash(&NEXT.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    let mut reader = blake3::Hasher::new().update(digest.as_bytes()).finalize_xof();
    reader.fill(&mut bytes);
    bytes
}

fn kek() -> Kek {
    Kek::new([3; 32])
}

fn org() -> OrgId {
    "acme".parse().unwrap()
}

fn member(n: u128) -> MemberId {
    MemberId(Uuid::from_u128(n))
}

#[tokio::test]
async fn a_key_is_made_once_and_is_the_same_after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault.db");
    let sealed = {
        let vault = Vault::open(&path, kek(), fresh).unwrap();
        assert!(vault.key(&org(), member(1)).await.unwrap().is_none());
        let key = vault.key_or_new(&org(), member(1)).await.unwrap();
        key.seal(&org(), member(1).0, SealedAs::Field(Field::Alias), b"Bee")
    };
    let vault = Vault::open(&path, kek(), fresh).unwrap();
    let key = vault.key(&org(), member(1)).await.unwrap().unwrap();
    assert_eq!(key.open(&org(), member(1).0, SealedAs::Field(Field::Alias), &sealed).unwrap().as_slice(), b"Bee");
    let other = vault.key_or_new(&"other".parse().unwrap(), member(1)).await.unwrap();
    assert!(
        other.open(&org(), member(1).0, SealedAs::Field(Field::Alias), &sealed).is_err(),
        "the same id elsewhere is somebody else"
    );
    assert!(matches!(Vault::open(&path, Kek::new([4; 32]), fresh), Err(StoreError::OtherKek { .. })));
}

#[tokio::test]
async fn nobody_who_was_erased_gets_another_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault.db");
    for opened in 0..2 {
        let vault = Vault::open(&path, kek(), fresh).unwrap();
        if opened == 0 {
            vault.key_or_new(&org(), member(1)).await.unwrap();
            vault.erase(&org(), member(1)).await.unwrap();
            vault.erase(&org(), member(2)).await.unwrap();
        }
        for erased in [member(1), member(2)] {
            assert!(vault.is_erased(&org(), erased) && !vault.is_erased(&"other".parse().unwrap(), erased));
            assert_eq!(vault.key(&org(), erased).await.unwrap_err(), VaultError::Erased);
            assert_eq!(vault.key_or_new(&org(), erased).await.unwrap_err(), VaultError::Erased);
            assert_eq!(vault.index_new(&org(), erased, vec![]).await.unwrap_err(), VaultError::Erased);
            assert_eq!(vault.index(&org(), erased, 1, vec![]).await.unwrap_err(), VaultError::Erased);
        }
    }
}

#[tokio::test]
async fn no_member_passes_for_the_organisation_itself() {
    let dir = tempfile::tempdir().unwrap();
    let vault = Vault::open(&dir.path().join("vault.db"), kek(), fresh).unwrap();
    let sealed = vault.org_key(&org()).await.unwrap().seal(&org(), Uuid::from_u128(1), SealedAs::Reason, b"ill");
    let nobody = MemberId(Uuid::nil());
    assert_eq!(vault.key_or_new(&org(), nobody).await.unwrap_err(), VaultError::Erased);
    assert_eq!(vault.erase(&org(), nobody).await.unwrap_err(), VaultError::Erased);
    assert!(vault.keys(&org(), &[nobody]).await.unwrap().is_empty());
    let key = vault.org_key(&org()).await.unwrap();
    assert_eq!(key.open(&org(), Uuid::from_u128(1), SealedAs::Reason, &sealed).unwrap().as_slice(), b"ill");
}

/// Every file that SQLite left, as bytes.
fn files(dir: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(dir).unwrap().flatten();
    files.flat_map(|file| std::fs::read(file.path()).unwrap()).collect()
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// The wrapped keys are read from the file before, as an attacker with an earlier copy of the code would look for them.
#[tokio::test]
async fn a_destroyed_key_and_its_index_are_in_no_file_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault.db");
    let vault = Vault::open(&path, kek(), fresh).unwrap();
    let org_key = vault.org_key(&org()).await.unwrap();
    let blind = |n: u128| Blind(org_key.digest(&n.to_le_bytes()));
    // Enough for pages to be split, moved and freed.
    for n in 1..=500 {
        vault.index_new(&org(), member(n * 7919 % 1009), vec![blind(n * 7919 % 1009)]).await.unwrap();
    }
    let wrapped = |n: u128| -> Vec<u8> {
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection
            .query_row("SELECT wrapped FROM keys WHERE person = ?1", [member(n).0.as_bytes()], |row| row.get(0))
            .unwrap()
    };
    let erased: Vec<u128> = (1..=500).map(|n| n * 7919 % 1009).step_by(7).collect();
    let keys: Vec<_> = erased.iter().map(|n| wrapped(*n)).collect();
    let before = files(dir.path());
    assert!(keys.iter().all(|key| holds(&before, key)), "the search finds what is there");
    for n in &erased {
        vault.erase(&org(), member(*n)).await.unwrap();
    }
    let after = files(dir.path());
    for (n, key) in erased.iter().zip(&keys) {
        assert!(!holds(&after, key), "the key of {n}");
        // The digest's later bytes: an index page keeps none of them either.
        assert!(!holds(&after, &blind(*n).0[8..]), "the index of {n}");
    }
    let kept = (1..=500).map(|n| n * 7919 % 1009).find(|n| !erased.contains(n)).unwrap();
    assert!(holds(&after, &wrapped(kept)), "the others stay");
    assert_eq!(vault.sharing(&org(), vec![blind(kept), blind(erased[0])]).await.unwrap(), [member(kept)]);
}

#[tokio::test]
async fn what_follows_from_more_of_the_log_is_not_replaced_by_what_follows_from_less() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault.db");
    let vault = Vault::open(&path, kek(), fresh).unwrap();
    let (one, two, three) = (Blind([1; 32]), Blind([2; 32]), Blind([3; 32]));
    let found = async |blind| vault.sharing(&org(), vec![blind]).await.unwrap();
    vault.index_new(&org(), member(1), vec![one]).await.unwrap();
    assert_eq!(
        (found(one).await, vault.indexed(&org(), &[member(1), member(2)]).await.unwrap()),
        (vec![member(1)], vec![(member(1), 0)])
    );
    vault.index(&org(), member(1), 7, vec![two]).await.unwrap();
    vault.index_new(&org(), member(1), vec![one]).await.unwrap(); // somebody who lost a race for the id
    vault.index(&org(), member(1), 6, vec![three]).await.unwrap();
    assert_eq!((found(one).await, found(two).await, found(three).await), (vec![], vec![member(1)], vec![]));
    assert_eq!(vault.indexed(&org(), &[member(1)]).await.unwrap(), [(member(1), 7)]);
    assert_eq!(vault.found().await.unwrap(), [(org(), member(1))]);
    vault.index(&org(), member(1), 8, vec![]).await.unwrap();
    assert!(vault.found().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_vault_of_before_there_were_positions_is_taken_over_with_its_keys() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault.db");
    let blind = Blind([1; 32]);
    Vault::open(&path, kek(), fresh).unwrap().index_new(&org(), member(1), vec![blind]).await.unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("DROP TABLE indexed; PRAGMA user_version = 1").unwrap();
    drop(connection);
    assert_eq!(Vault::holders(&path).unwrap(), [(org(), member(1))].into(), "it can be read as it was");
    let vault = Vault::open(&path, kek(), fresh).unwrap();
    assert_eq!(vault.sharing(&org(), vec![blind]).await.unwrap(), [member(1)]);
    assert!(vault.key(&org(), member(1)).await.unwrap().is_some());
    assert!(vault.indexed(&org(), &[member(1)]).await.unwrap().is_empty(), "all of it is looked at again");
}

#[tokio::test]
async fn a_vault_in_use_is_copied_and_read_by_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault.db");
    let vault = Vault::open(&path, kek(), fresh).unwrap();
    let sealed = vault.key_or_new(&org(), member(1)).await.unwrap().seal(
        &org(),
        member(1).0,
        SealedAs::Field(Field::Alias),
        b"Bee",
    );
    vault.erase(&org(), member(2)).await.unwrap();
    assert!(matches!(Vault::copy_of(&path, &Kek::new([4; 32])), Err(StoreError::OtherKek { .. })));
    let copy = dir.path().join("copy.db");
    std::fs::write(&copy, Vault::copy_of(&path, &kek()).unwrap()).unwrap();
    for path in [&path, &copy] {
        assert_eq!(Vault::holders(path).unwrap(), [(org(), member(1))].into());
        assert_eq!(Vault::destroyed(path).unwrap(), [(org(), member(2))].into());
    }
    let copied = Vault::open(&copy, kek(), fresh).unwrap();
    let key = copied.key(&org(), member(1)).await.unwrap().unwrap();
    assert_eq!(key.open(&org(), member(1).0, SealedAs::Field(Field::Alias), &sealed).unwrap().as_slice(), b"Bee");
    vault.erase(&org(), member(1)).await.unwrap();
    assert!(Vault::holders(&path).unwrap().is_empty() && !Vault::holders(&copy).unwrap().is_empty());
}

#[tokio::test]
async fn rewrapping_changes_every_wrapped_key_and_no_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault.db");
    let sealed = {
        let vault = Vault::open(&path, kek(), fresh).unwrap();
        vault.erase(&org(), member(2)).await.unwrap();
        vault.key_or_new(&org(), member(1)).await.unwrap().seal(
            &org(),
            member(1).0,
            SealedAs::Field(Field::Alias),
            b"Bee",
        )
    };
    let new = Kek::new([5; 32]);
    assert!(Vault::rewrap(&path, &new, &kek(), fresh).is_err(), "with the wrong old key nothing happens");
    assert_eq!(Vault::rewrap(&path, &kek(), &new, fresh).unwrap(), 1);
    assert!(Vault::open(&path, kek(), fresh).is_err());
    let vault = Vault::open(&path, new, fresh).unwrap();
    let key = vault.key(&org(), member(1)).await.unwrap().unwrap();
    assert_eq!(key.open(&org(), member(1).0, SealedAs::Field(Field::Alias), &sealed).unwrap().as_slice(), b"Bee");
    assert!(vault.is_erased(&org(), member(2)));
}

#[test]
fn a_key_encryption_key_is_read_as_it_was_written_and_never_shown() {
    let text = kek().to_text();
    assert_eq!(*Kek::from_text(&format!(" {}\n", *text)).unwrap().to_text(), *text);
    for bad in ["", "short", &"A".repeat(44), &"!".repeat(43)] {
        assert_eq!(Kek::from_text(bad).unwrap_err(), KekError::Text, "{bad}");
    }
    assert_eq!(format!("{:?}", kek()), "Kek");
    let sealed = kek().seal_file(&[1; 24], "vault", b"bytes");
    assert_eq!(kek().open_file("vault", &sealed).unwrap().as_slice(), b"bytes");
    assert!(kek().open_file("other", &sealed).is_err() && Kek::new([4; 32]).open_file("vault", &sealed).is_err());
}

/// As two processes on one machine: nothing is shared but the file.
#[tokio::test]
async fn what_another_process_destroys_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault.db");
    let (one, other) = (Vault::open(&path, kek(), fresh).unwrap(), Vault::open(&path, kek(), fresh).unwrap());
    other.heed_others(&path).unwrap();
    one.key_or_new(&org(), member(1)).await.unwrap();
    assert!(other.key(&org(), member(1)).await.unwrap().is_some());
    one.erase(&org(), member(1)).await.unwrap();
    let deadline = std::time::Instant::now() + HEEDED_WITHIN * 10;
    while !other.is_erased(&org(), member(1)) {
        assert!(std::time::Instant::now() < deadline, "it does not learn it");
        std::thread::sleep(HEEDED_WITHIN / 50); // nobody announces it
    }
    assert_eq!(other.key_or_new(&org(), member(1)).await.err(), Some(VaultError::Erased));
    assert!(other.keys(&org(), &[member(1)]).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_index_of_another_form_is_emptied_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault.db");
    let vault = Vault::open(&path, kek(), fresh).unwrap();
    let blind = Blind([7; 32]);
    let member = MemberId(Uuid::from_u128(7));
    let found = async |vault: &Vault| vault.sharing(&org(), vec![blind]).await.unwrap();
    vault.index_new(&org(), member, vec![blind]).await.unwrap();
    assert!(vault.compare_in(None).await.unwrap(), "nobody knows how it was made");
    assert!(found(&vault).await.is_empty() && vault.indexed(&org(), &[member]).await.unwrap().is_empty());
    vault.index_new(&org(), member, vec![blind]).await.unwrap();
    assert!(!vault.compare_in(None).await.unwrap());
    assert_eq!(found(&vault).await, [member]);
    let country = "GB".parse().unwrap();
    assert!(vault.compare_in(Some(country)).await.unwrap(), "numbers are others in another country");
    assert!(found(&vault).await.is_empty());
    assert_eq!(vault.country(), Some(country));
    assert!(vault.key(&org(), member).await.unwrap().is_some(), "keys stay");
}
