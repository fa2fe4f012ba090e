//! XML as a tree, and which members may be missing according to the API's model. In: a document. Out: the document without one of its members. Pure.

use std::collections::BTreeMap;

use quick_xml::{Reader, events::Event};
use serde::Deserialize;

/// An element, with its text as it is written.
#[derive(Clone, Debug, Default)]
pub struct Element {
    pub name: String,
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    pub fn parse(document: &str) -> Self {
        let mut reader = Reader::from_str(document);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().unwrap() {
                Event::Start(tag) => open.push(Self { name: tag.local_name().as_ref().to_owned(), ..Self::default() }),
                Event::Empty(tag) => {
                    let empty = Self { name: tag.local_name().as_ref().to_owned(), ..Self::default() };
                    open.last_mut().unwrap().children.push(empty);
                }
                Event::End(_) => {
                    let closed = open.pop().unwrap();
                    open.last_mut().unwrap().children.push(closed);
                }
                Event::Text(text) => open.last_mut().unwrap().text.push_str(&text),
                Event::GeneralRef(name) => open.last_mut().unwrap().text.extend(["&", &*name, ";"]),
                Event::Eof => return open.pop().unwrap().children.pop().unwrap(),
                _ => {}
            }
        }
    }

    pub fn write(&self) -> String {
        self.write_as(&|element, inner| format!("<{0}>{inner}</{0}>", element.name))
    }

    /// The document with each element written by this function, which gets its content.
    pub fn write_as(&self, write: &dyn Fn(&Self, &str) -> String) -> String {
        let inner = self.children.iter().map(|child| child.write_as(write)).collect::<String>();
        write(self, if self.children.is_empty() { &self.text } else { &inner })
    }

    /// Removes a member, wherever the path leads; returns whether there was one.
    pub fn remove(&mut self, path: &[String]) -> bool {
        match path {
            [] => false,
            [name] => {
                let before = self.children.len();
                self.children.retain(|child| child.name != *name);
                self.children.len() < before
            }
            [name, rest @ ..] => {
                let named = self.children.iter_mut().filter(|child| child.name == *name);
                named.map(|child| child.remove(rest)).collect::<Vec<_>>().contains(&true)
            }
        }
    }
}

/// A shape of the API's model: `api-members.json` is AWS's own, cut down to the members of bodies.
#[derive(Deserialize)]
#[serde(untagged)]
enum Shape {
    Structure { members: BTreeMap<String, String>, required: Vec<String> },
    List { items: String, of: String },
}

/// The paths to all members below the root that the model calls optional.
pub fn optional_members(root: &str) -> Vec<Vec<String>> {
    let model = serde_json::from_str(include_str!("api-members.json")).unwrap();
    let mut paths = Vec::new();
    collect(&model, root, &[], &mut paths);
    paths
}

fn collect(model: &BTreeMap<String, Shape>, shape: &str, path: &[String], paths: &mut Vec<Vec<String>>) {
    match model.get(shape) {
        None => {}
        Some(Shape::List { items, of }) => collect(model, of, &[path, std::slice::from_ref(items)].concat(), paths),
        Some(Shape::Structure { members, required }) => {
            for (name, of) in members {
                let path = [path, std::slice::from_ref(name)].concat();
                if !required.contains(name) {
                    paths.push(path.clone());
                }
                collect(model, of, &path, paths);
            }
        }
    }
}
