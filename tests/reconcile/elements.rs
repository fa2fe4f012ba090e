//! Elements of a group that the operator does not manage: they block nothing, an update keeps what it can, and what it loses is named.

use cloudfront_simulator::admin::GroupPatch;

use crate::world::{World, spec};

/// A group at rest that has a fallback, and an element that no version of the API knows.
fn world(omission_clears: bool) -> World {
    let mut world = World::new(spec());
    world.switch(|switches| switches.omission_clears = omission_clears);
    world.settle();
    world.someone_edits(GroupPatch {
        viewer_fallback: Some("E1ABC".to_owned()),
        further_elements: [("Later".to_owned(), "x".to_owned())].into(),
        ..GroupPatch::default()
    });
    world.take_inventory();
    world.settle();
    assert_eq!(world.ready(), ("True".into(), "Deployed".into(), vec![]), "they block nothing");
    world.events.clear();
    world
}

#[test]
fn an_element_that_is_gone_after_an_update_is_named_in_a_warning() {
    for omission_clears in [false, true] {
        let mut world = world(omission_clears);
        world.edit(|spec| spec.ipv6_enabled = false);
        world.settle();
        let notes = world.events.iter().filter(|event| event.reason.as_str() == "ElementLost");
        let notes = notes.map(|event| event.note.clone()).collect::<Vec<_>>();
        assert_eq!(notes.len(), usize::from(omission_clears), "{notes:?}");
        assert!(notes.iter().all(|note| note.contains("before: Later.")), "{notes:?}");
        assert_eq!(world.group().unwrap().resource.viewer_fallback.as_deref(), Some("E1ABC"));
    }
}

#[test]
fn the_disable_of_a_deletion_also_names_what_it_loses() {
    let mut world = world(true);
    world.delete();
    world.settle();
    assert!(world.event_reasons().contains(&"ElementLost"), "{:?}", world.events);
    assert_eq!(world.group(), None);
}
