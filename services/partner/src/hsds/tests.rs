use domain::partner::{ListedService, Part, Status};

use super::{remark::Severity, *};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/hsds");

fn origin() -> Origin {
    Origin { org: "north-star".parse().unwrap(), directory: "hsds".parse().unwrap() }
}

fn file(name: &str, text: impl Into<String>) -> File {
    File { name: name.parse().unwrap(), text: text.into() }
}

/// An example of the specification.
fn example(name: &str) -> File {
    let text = std::fs::read_to_string(format!("{FOLDER}/{name}")).unwrap();
    file(name.rsplit('/').next().unwrap(), text)
}

fn tables() -> Vec<File> {
    let entries = std::fs::read_dir(format!("{FOLDER}/csv")).unwrap().flatten();
    entries.map(|entry| example(&format!("csv/{}", entry.file_name().to_str().unwrap()))).collect()
}

fn read_all(files: &[File]) -> Directory {
    read(files, &origin()).unwrap()
}

/// The one service of the one partner.
#[track_caller]
fn only(directory: &Directory) -> (&FoundPartner, &ListedService) {
    assert_eq!(directory.remarks.kept, []);
    let [partner] = &directory.partners[..] else { panic!("{:?}", directory.partners) };
    assert_eq!(partner.services.len(), 1);
    (partner, partner.services.values().next().unwrap())
}

#[test]
fn all_that_is_kept_of_the_specifications_example_is_read() {
    let directory = read_all(&[example("organization_full.json")]);
    let (partner, service) = only(&directory);
    assert_eq!(partner.name.as_ref().unwrap().as_str(), "Example Organization Inc.");
    assert_eq!(partner.source.id.as_str(), "d9d5e0f5-d3ce-4f73-9a2f-4dd0ecc6c610");
    let details = &service.details;
    let text = |text: &Option<Text<1_000>>| text.as_ref().unwrap().to_string();
    assert_eq!((details.name.as_str(), details.status), ("Community Counselling", Status::Active));
    assert_eq!((details.minimum_age, details.maximum_age), (Some(12), Some(100)));
    assert_eq!(details.languages.iter().map(Text::as_str).collect::<Vec<_>>(), ["ur"]);
    assert_eq!(details.assured_date.unwrap().to_string(), "2005-01-01");
    assert_eq!(
        details.hours.as_ref().unwrap().as_str(),
        "TH,FR 10:00-18:00 from 2005-01-01 until 2005-01-01: The service is available from 10 am to 6pm weekdays. The \
         service is not available on public holidays."
    );
    assert_eq!(
        text(&details.accessibility),
        "The building is equipped with induction loops for hearing aids. Wheelchair access is possible on all levels. Switch \
         hearing aid to T-coil to access the induction loop facility. MyCity Civic Center is serviced by the number 1 Bus \
         and is a short walk from the Main Street Metro Station"
    );
    let fees = text(&details.fees_description);
    assert!(
        fees.ends_with(
            "for up to date prices. Under 18s and Over 60s: 35 GBP per 1 hour session from 2020-01-01 until 2022-12-31"
        ),
        "{fees}"
    );
    assert!(details.description.as_ref().unwrap().as_str().starts_with("Counselling Services provided"));
    assert!(details.application_process.is_some() && details.eligibility_description.is_some());
    assert!(details.alert.is_some() && details.may_receive.is_empty());
    assert_eq!(service.unsaid, []);
}

#[test]
fn the_same_directory_is_the_same_in_whatever_form_it_comes() {
    let whole = read_all(&[example("organization_full.json")]);
    let (partner, service) = only(&whole);
    let everything = [
        "organization_list.json",
        "service_list.json",
        "service_at_location_list.json",
        "base.json",
        "service_full.json",
        "service_at_location_full.json",
        "location.json",
        "taxonomy.json",
        "taxonomy_list.json",
        "taxonomy_term.json",
        "taxonomy_term_list.json",
        "organization_full.json",
        "tabular.json",
    ]
    .map(example);
    for files in [tables(), vec![example("tabular.json")], vec![example("service_full.json")], everything.into()] {
        let other = read_all(&files);
        let (found, listed) = only(&other);
        assert_eq!((found.id, &found.name), (partner.id, &partner.name), "{}", files[0].name);
        assert_eq!(listed, service, "{}", files[0].name);
    }
}

#[test]
fn a_list_says_nothing_of_what_lists_leave_out() {
    let directory = read_all(&[example("service_list.json")]);
    let (_, service) = only(&directory);
    assert_eq!(service.unsaid, [Part::Hours, Part::Languages, Part::Accessibility, Part::Fees]);
}

#[test]
fn what_is_wrong_is_told_by_file_place_and_field_and_the_rest_is_read() {
    let services = "id,organization_id,name,status,minimum_age,maximum_age,assured_date\n\
        1,o,One,active,twelve,,\n2,o,,active,,,\n3,o,Three,open,,,\n,o,Four,active,,,\n5,,Five,active,,,\n\
        6,o,Six,defunct,20,10,soon\n7,o\n8,elsewhere,Eight,inactive,,,\n";
    let files = [
        file("services.csv", services),
        file("organizations.csv", "id,name\no,Org\np,\n"),
        file("languages.csv", "id,service_id,code\n1,1,not a code\n2,1,pt-BR\n"),
        file("people.csv", "id\n1\n"),
        file("notes.txt", ""),
        file("broken.json", "{"),
        file("other.json", r#"[{ "id": "1" }, 7]"#),
    ];
    let directory = read_all(&files);
    let said: Vec<_> = directory
        .remarks
        .kept
        .iter()
        .map(|Remark { file, place, field, severity, .. }| {
            (file.as_str(), place.as_str(), *field, *severity == Severity::Rejected)
        })
        .collect();
    assert_eq!(
        said,
        [
            ("services.csv", "line 8", "", true),
            ("people.csv", "", "", false),
            ("notes.txt", "", "", true),
            ("broken.json", "", "", true),
            ("other.json", "/0", "", true),
            ("other.json", "/1", "", true),
            ("organizations.csv", "line 3", "name", true),
            ("services.csv", "line 2", "minimum_age", false),
            ("languages.csv", "line 2", "code", false),
            ("services.csv", "line 3", "name", true),
            ("services.csv", "line 4", "status", true),
            ("services.csv", "line 5", "id", true),
            ("services.csv", "line 6", "organization_id", true),
            ("services.csv", "line 7", "minimum_age", false),
            ("services.csv", "line 7", "assured_date", false),
        ]
    );
    assert_eq!((directory.partners_rejected, directory.services_rejected), (1, 4));
    let names: Vec<_> =
        directory.partners.iter().map(|partner| (partner.name.is_some(), partner.services.len())).collect();
    assert_eq!(names, [(false, 1), (true, 2)], "the services of an organization that is not listed wait for it");
}

#[test]
fn a_quote_that_never_closes_loses_no_line_in_silence() {
    let text = "id,name\n1,\"One\"\n2,\"Two\n3,Three\n";
    let directory = read_all(&[file("organizations.csv", text)]);
    let [remark] = &directory.remarks.kept[..] else { panic!("{:?}", directory.remarks) };
    assert_eq!((remark.place.as_str(), directory.partners.len()), ("line 3", 1));
    let closed = read_all(&[file("organizations.csv", "id,name\n1,\"On\ne\"\n2,5\" Two\n")]);
    assert_eq!((closed.remarks.kept.len(), closed.partners.len()), (0, 2));
}

#[test]
fn two_files_that_contradict_each_other_are_told_and_the_first_is_taken() {
    let organization = |name: &str| format!(r#"{{ "id": "o", "name": "{name}", "description": "x" }}"#);
    let directory = read_all(&[file("a.json", organization("One")), file("b.json", organization("Two"))]);
    assert_eq!(directory.partners[0].name.as_ref().unwrap().as_str(), "One");
    let [remark] = &directory.remarks.kept[..] else { panic!("{:?}", directory.remarks) };
    assert_eq!((remark.file.as_str(), remark.field), ("b.json", "name"));
}

#[test]
fn a_directory_has_limits() {
    let rows = format!("id\n{}", "1\n".repeat(ROWS_MAX + 1));
    assert!(matches!(read(&[file("locations.csv", rows)], &origin()), Err(DirectoryError::Rows(_))));
    let many: Vec<_> = (0..=FILES_MAX).map(|n| file(&format!("{n}.json"), "[]")).collect();
    assert!(matches!(read(&many, &origin()), Err(DirectoryError::Files(_))));
    let long = "x".repeat(5_000);
    let service =
        format!(r#"{{ "id": "s", "organization_id": "o", "name": "S", "status": "active", "alert": "{long}" }}"#);
    let directory = read_all(&[file("s.json", service)]);
    assert_eq!((directory.remarks.kept.len(), directory.partners[0].services.len()), (1, 1));
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(read_all(&[file("deep.json", deep)]).partners.len(), 0);
}

#[test]
fn ids_are_of_the_organisation_the_directory_and_what_is_named() {
    let other = Origin { directory: "other".parse().unwrap(), ..origin() };
    let theirs = Origin { org: "south-star".parse().unwrap(), ..origin() };
    let ids = [origin(), other, theirs].map(|origin| origin.partner("1").0);
    assert!(ids[0] != ids[1] && ids[0] != ids[2] && origin().service("1").0 != ids[0]);
}
