//! The table of authority, walked: every operation, every role, own and other group, own and other organisation.

use tests::world::{ORG, World};
use web::Role;

use crate::operations::{Operations, Things};

/// Operations that facilitators may do for members of any group, because that is what they are for, or that are about
/// nobody's group.
const BEYOND_OWN_GROUPS: &[&str] = &["break_glass", "show_partner"];

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reaches_beyond_their_groups_or_their_organisation() {
    let world = World::start().await;
    let things = Things::of(&world).await;
    let elsewhere = world.admin().group(things.programme, "Elsewhere").await;
    world.settle().await;
    let before = world.events().await.len();
    let mut walked = 0;
    for operation in Operations::of(&world).await.all() {
        for role in Role::ALL {
            let may = operation.roles.contains(&role.as_str().to_owned());
            let subject = things.member.to_string();
            let ask = async |org: &str, groups| {
                let caller = world.somebody(org, role, &subject, groups);
                caller.send(operation.request(&things, &caller.key()), operation.body(&things)).await
            };
            let id = &operation.id;
            if operation.names_a_thing() || !may {
                let answer = ask("south-star", vec![things.group]).await;
                let expected = if may { 404 } else { 403 };
                assert_eq!(answer.status, expected, "{id}, {role:?} of another organisation: {}", answer.json());
                walked += 1;
            }
            if role == Role::Facilitator && may && operation.names_a_thing() {
                if BEYOND_OWN_GROUPS.contains(&id.as_str()) {
                    continue;
                }
                let answer = ask(ORG, vec![elsewhere]).await;
                let refused = answer.status == 403 || answer.status == 404;
                assert!(refused, "{id}, facilitator of another group: {} {}", answer.status, answer.json());
                walked += 1;
            }
        }
    }
    assert!(walked > 200, "{walked}");
    assert_eq!(world.events().await.len(), before, "something was written");
}
