//! Attendance as a table of people by dates.

use domain::{GroupId, MeetingId, MemberId};
use serde_json::{Value, json};
use tests::world::{Actor, World, at, mark_of};

const DAYS: &str = "first=2026-05-01&last=2026-06-30";

/// A held meeting of the group on this Tuesday, with these marks.
async fn held(admin: &Actor, group: GroupId, day: &str, marks: &[(MemberId, &str)]) -> MeetingId {
    let meeting = admin.meeting(group, day).await;
    admin.post(&at(meeting, "open"), Value::Null).await.must(204);
    for (member, mark) in marks {
        admin.mark(meeting, *member, mark).await.must(204);
    }
    admin.post(&at(meeting, "hold"), Value::Null).await.must(204);
    meeting
}

fn row(table: &Value, member: MemberId) -> &Value {
    let people = table["people"].as_array().expect("people");
    people.iter().find(|person| person["member"] == json!(member)).unwrap_or_else(|| panic!("{member}: {table}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn people_by_dates_with_each_rate_beside_what_it_is_of() {
    let world = World::start().await;
    let (admin, group) = (world.admin(), world.group().await);
    world.set_time("2026-06-20T12:00:00Z");
    let ann = admin.register(json!({ "alias": "Ann" })).await;
    let bob = admin.register(json!({ "alias": "=HYPERLINK(\"http://x\")" })).await;
    let bert = admin.register(json!({ "alias": "Bert" })).await;
    let cat = admin.register(json!({ "alias": "Cat" })).await;
    admin.enrols(group, ann, "2026-01-01").await.must(201);
    admin.enrols(group, bob, "2026-05-10").await.must(201);
    admin.enrols(group, bert, "2026-01-01").await.must(201);
    held(&admin, group, "2026-05-05", &[(ann, "present"), (bert, "late")]).await;
    let second = admin.meeting(group, "2026-05-12").await;
    admin.post(&at(second, "open"), Value::Null).await.must(204);
    admin.post(&at(second, "walk-ins"), json!({ "member": cat, "mark": "present" })).await.must(201);
    admin.put(&mark_of(second, ann), json!({ "mark": "present", "mode": "video" })).await.must(204);
    admin.mark(second, bob, "excused").await.must(204);
    admin.post(&at(second, "hold"), Value::Null).await.must(204);
    held(&admin, group, "2026-05-19", &[(bert, "present"), (bob, "absent")]).await;
    let open = admin.meeting(group, "2026-06-02").await;
    admin.post(&at(open, "open"), Value::Null).await.must(204);
    admin.mark(open, ann, "present").await.must(204);
    admin.meeting(group, "2026-06-09").await; // planned: no column
    // Ann left before the third meeting, which came out later: she has no place and no mark there, and none at the open
    // one, where she is marked.
    let left = json!({ "ends_on": "2026-05-15" });
    admin.post(&format!("/v1/groups/{group}/enrolments/{ann}/withdrawal"), left).await.must(204);
    let merged = admin.post(&format!("/v1/members/{bert}/merge"), json!({ "into": bob })).await.must(204).at();

    let path = format!("/v1/attendance?groups={group}&{DAYS}");
    let table = admin.read(&path, merged).await.must(200).json();
    let meetings = table["meetings"].as_array().expect("meetings");
    let days: Vec<_> =
        meetings.iter().map(|one| (&one["starts_at_local"].as_str().unwrap()[..10], &one["status"])).collect();
    let (held, open) = (json!("held"), json!("open"));
    assert_eq!(days, [("2026-05-05", &held), ("2026-05-12", &held), ("2026-05-19", &held), ("2026-06-02", &open)]);
    let walk_in = json!({ "mark": "present", "mode": "in_person", "walk_in": true });
    let here = |mark: &str| json!({ "mark": mark, "mode": "in_person" });
    // A merged person is one row, and of two marks the better attended counts.
    assert_eq!(table["people"].as_array().map(Vec::len), Some(3), "{table}");
    let one = row(&table, bob);
    assert_eq!(one["cells"], json!([here("late"), { "mark": "excused" }, here("present"), {}]));
    assert_eq!(
        (&one["held"], &one["recorded"], &one["came"], &one["excused"]),
        (&json!(3), &json!(3), &json!(2), &json!(1))
    );
    let one = row(&table, ann);
    assert_eq!(one["cells"], json!([here("present"), { "mark": "present", "mode": "video" }, null, walk_in]));
    assert_eq!(
        (&one["held"], &one["came"], &one["of_held"], &one["walk_ins"]),
        (&json!(2), &json!(2), &json!(1.0), &json!(0))
    );
    let one = row(&table, cat);
    assert_eq!(one["cells"], json!([null, walk_in, null, null]));
    assert_eq!((&one["held"], &one["walk_ins"], one.get("of_held")), (&json!(0), &json!(1), None));
    let counts =
        |nth: usize| ["enrolled", "recorded", "came", "walk_ins"].map(|what| meetings[nth][what].as_u64().unwrap());
    assert_eq!([counts(0), counts(1), counts(2), counts(3)], [[2, 2, 2, 0], [2, 2, 1, 1], [1, 1, 1, 0], [1, 0, 0, 1]]);

    // As a file: no cell is a formula, and what is not recorded says so.
    let csv = admin.read(&format!("{path}&format=csv"), merged).await.must(200);
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    assert!(
        csv.header("content-disposition").is_some_and(|name| name.contains("attendance-2026-05-01-2026-06-30.csv"))
    );
    let text = String::from_utf8(csv.body.to_vec()).expect("UTF-8");
    let lines: Vec<_> = text.lines().collect();
    assert!(
        lines[0].starts_with(
            "member,called,2026-05-05 19:00,2026-05-12 19:00,2026-05-19 19:00,2026-06-02 19:00 (open),held,"
        ),
        "{text}"
    );
    assert_eq!(
        lines[1],
        format!(
            "{bob},\"'=HYPERLINK(\"\"http://x\"\")\",late (in_person),excused,present (in_person),not recorded,3,3,2,1,1,0,0.667,0.667"
        )
    );
    assert_eq!(
        lines[2],
        format!("{ann},Ann,present (in_person),present (video),,\"present (in_person, walk_in)\",2,2,2,0,0,0,1,1")
    );
    assert_eq!(lines[3], format!("{cat},Cat,,\"present (in_person, walk_in)\",,,0,0,0,0,0,1,,"));
    assert_eq!(lines.len(), 4);
    let xlsx = admin.read(&format!("{path}&format=xlsx"), merged).await.must(200);
    assert!(
        xlsx.body.starts_with(b"PK\x03\x04")
            && xlsx.header("content-disposition").is_some_and(|name| name.contains(".xlsx"))
    );
    world.must_be_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_in_the_table_is_in_the_audit_and_facilitators_see_their_groups() {
    let world = World::start().await;
    let admin = world.admin();
    let (steps, other) = (world.group().await, world.group().await);
    let ann = admin.register(json!({ "alias": "Ann" })).await;
    let bob = admin.register(json!({ "alias": "Bob" })).await;
    admin.enrols(steps, ann, "2026-01-01").await.must(201);
    let at = admin.enrols(other, bob, "2026-01-01").await.must(201).at();
    let table = |groups: String| format!("/v1/attendance?groups={groups}&{DAYS}");
    let fay = world.facilitator([steps]);
    fay.read(&table(other.to_string()), at).await.refused(403, "forbidden");
    fay.read(&table(format!("{steps},{other}")), at).await.refused(403, "forbidden");
    let seen = fay.read(&table(steps.to_string()), at).await.must(200).json();
    assert_eq!(seen["people"].as_array().map(Vec::len), Some(1));
    assert_eq!(row(&seen, ann)["called"], "Ann");
    let both = admin.read(&table(format!("{steps},{other}")), at).await.must(200).json();
    assert_eq!(both["people"].as_array().map(Vec::len), Some(2));
    world.settle().await;
    for (member, times) in [(ann, 2), (bob, 1)] {
        let accesses = admin.get(&format!("/v1/members/{member}/accesses")).await.must(200).json();
        let by_table = accesses["items"].as_array().expect("items").iter();
        let by_table = by_table.filter(|access| access["operation"] == "show_attendance").count();
        assert_eq!(by_table, times, "{accesses}");
    }
    world.admin_of("elsewhere").get(&table(steps.to_string())).await.refused(404, "not-found");
    for (wrong, says) in [
        (format!("groups=&{DAYS}"), "names none"),
        (format!("groups=nobody&{DAYS}"), "must be the id"),
        (format!("groups={steps},{steps}&{DAYS}"), "twice"),
        (format!("groups={steps}&first=2026-06-02&last=2026-06-01"), "before first"),
        (format!("groups={steps}&first=2025-01-01&last=2026-06-01"), "at most 400"),
        (
            format!(
                "groups={}&{DAYS}",
                (1..=21).map(|n| uuid::Uuid::from_u128(n).to_string()).collect::<Vec<_>>().join(",")
            ),
            "at most 20",
        ),
    ] {
        let problem = admin.get(&format!("/v1/attendance?{wrong}")).await.refused(422, "malformed");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(says)), "{problem}");
    }
}
