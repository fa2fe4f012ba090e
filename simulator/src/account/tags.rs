//! The operations on tags, of connection groups and of Anycast IP lists. Pure.

use std::sync::Arc;

use crate::error::{ErrorCode, ServiceError};
use crate::model::Tags;
use crate::tagging;
use crate::time::Timestamp;

use super::record::Record;
use super::{Account, Freshness, invalid_argument};

/// What an ARN means.
enum Tagged {
    Group(String),
    List(String),
}

impl Account {
    pub(super) fn tag(&mut self, now: Timestamp, arn: &str, pairs: &[(String, String)]) -> Result<(), ServiceError> {
        let resource = self.resolve(arn)?;
        let mut tags = self.current_tags(&resource);
        tags.extend(tagging::checked(pairs)?);
        tagging::check_count(&tags, self.switches.tags_per_resource)?;
        self.set_tags(now, resource, tags);
        Ok(())
    }

    pub(super) fn untag(&mut self, now: Timestamp, arn: &str, keys: &[String]) -> Result<(), ServiceError> {
        let resource = self.resolve(arn)?;
        let mut tags = self.current_tags(&resource);
        for key in keys {
            tags.remove(key);
        }
        self.set_tags(now, resource, tags);
        Ok(())
    }

    pub(super) fn tags_of(&self, now: Timestamp, freshness: Freshness, arn: &str) -> Result<Tags, ServiceError> {
        check_arn(arn)?;
        if let Some(list) = self.lists.values().find(|list| self.list_arn(&list.id) == arn) {
            return Ok(list.tags.clone());
        }
        let view = freshness.of_groups(now, self.switches.read_lag);
        let is_meant = |record: &&Arc<Record>| {
            arn_of(record) == Some(arn) || record.seen(view).is_some_and(|group| group.arn == arn)
        };
        let record = self.groups.values().find(is_meant).ok_or_else(|| no_such_resource(arn))?;
        Ok(record.tags_seen(freshness.of_tags(now, &self.switches)).clone())
    }

    /// Sets the tags of a group to exactly these. Nothing happens if they are these already.
    pub(super) fn set_group_tags(&mut self, now: Timestamp, id: &str, tags: Tags) {
        let (tags_move_etag, kept) = (self.switches.tags_move_etag, self.kept(now));
        self.edit_record(id, |record| {
            if *record.tags.current() == tags {
                return;
            }
            record.replace_tags(tags, now, kept);
            if tags_move_etag {
                let next = record.current().map(|group| {
                    let mut next = group.clone();
                    next.version += 1;
                    next
                });
                record.replace(next, now, kept);
            }
        });
    }

    fn set_tags(&mut self, now: Timestamp, resource: Tagged, tags: Tags) {
        match resource {
            Tagged::Group(id) => self.set_group_tags(now, &id, tags),
            Tagged::List(id) => {
                if let Some(list) = Arc::make_mut(&mut self.lists).get_mut(&id) {
                    list.tags = tags;
                }
            }
        }
    }

    fn current_tags(&self, resource: &Tagged) -> Tags {
        let tags = match resource {
            Tagged::Group(id) => self.groups.get(id).map(|record| record.tags.current()),
            Tagged::List(id) => self.lists.get(id).map(|list| &list.tags),
        };
        tags.cloned().unwrap_or_default()
    }

    fn resolve(&self, arn: &str) -> Result<Tagged, ServiceError> {
        check_arn(arn)?;
        if let Some((id, _)) = self.groups.iter().find(|(_, record)| arn_of(record) == Some(arn)) {
            return Ok(Tagged::Group(id.clone()));
        }
        let list = self.lists.keys().find(|id| self.list_arn(id) == arn);
        list.map(|id| Tagged::List(id.clone())).ok_or_else(|| no_such_resource(arn))
    }
}

fn arn_of(record: &Record) -> Option<&str> {
    record.current().map(|group| group.arn.as_str())
}

/// `arn:aws(-cn)?:cloudfront::[0-9]+:.*`, as the API model has it.
fn check_arn(arn: &str) -> Result<(), ServiceError> {
    let rest = arn.strip_prefix("arn:aws:cloudfront::").or_else(|| arn.strip_prefix("arn:aws-cn:cloudfront::"));
    let account = rest.and_then(|rest| rest.split_once(':')).map(|(account, _)| account);
    if account.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())) {
        Ok(())
    } else {
        Err(invalid_argument(format!("\"{arn}\" is not the ARN of a CloudFront resource.")))
    }
}

fn no_such_resource(arn: &str) -> ServiceError {
    ServiceError::new(ErrorCode::NoSuchResource, format!("The resource {arn} does not exist."))
}
