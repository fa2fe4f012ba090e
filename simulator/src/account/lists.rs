//! The operations on Anycast IP lists. Pure.

use std::sync::Arc;

use crate::error::{ErrorCode, ServiceError};
use crate::etag;
use crate::model::{AnycastIpList, Tags};
use crate::request::{CreateAnycastIpList, PageRequest};
use crate::response::Page;
use crate::switches::IpAddressType;
use crate::tagging;
use crate::time::Timestamp;

use super::groups::{limit_exceeded, not_found};
use super::rollout::Rollout;
use super::{Account, invalid_argument, pages};

const PREFIX: &str = "aip_";
const IP_COUNTS: [u32; 2] = [3, 21];

/// One Anycast IP list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct List {
    pub id: String,
    pub name: String,
    pub serial: u64,
    pub ip_address_type: IpAddressType,
    pub ip_count: u32,
    pub tags: Tags,
    pub version: u32,
    pub modified_at: Timestamp,
    pub rollout: Rollout,
}

impl Account {
    pub(super) fn create_list(
        &mut self,
        now: Timestamp,
        input: &CreateAnycastIpList,
    ) -> Result<AnycastIpList, ServiceError> {
        let name = &input.name;
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if !(1..=64).contains(&name.len()) || !name.bytes().all(fits) {
            return Err(invalid_argument("The name of an Anycast IP list must be 1 to 64 letters, digits, - and _."));
        }
        let count =
            input.ip_count.and_then(|count| u32::try_from(count).ok()).filter(|count| IP_COUNTS.contains(count));
        let Some(ip_count) = count else { return Err(invalid_argument("IpCount must be 3 or 21.")) };
        let tags = tagging::checked(&input.tags)?;
        tagging::check_count(&tags, self.switches.tags_per_resource)?;
        if self.lists.values().any(|list| list.name == *name) {
            let message = format!("An Anycast IP list with the name {name} already exists.");
            return Err(ServiceError::new(ErrorCode::EntityAlreadyExists, message));
        }
        let limit = self.switches.lists_per_account;
        if self.lists.len() >= limit as usize {
            return Err(limit_exceeded(&format!("At most {limit} Anycast IP lists are allowed in one account.")));
        }
        let ip_address_type = input.ip_address_type.unwrap_or(self.switches.list_address_type);
        let id = self.insert_list(now, name, ip_address_type, ip_count, tags);
        self.get_list(now, &id)
    }

    pub(super) fn insert_list(
        &mut self,
        now: Timestamp,
        name: &str,
        ip_address_type: IpAddressType,
        ip_count: u32,
        tags: Tags,
    ) -> String {
        let (id, serial) = self.new_id(PREFIX);
        let list = List {
            id: id.clone(),
            name: name.to_owned(),
            serial,
            ip_address_type,
            ip_count,
            tags,
            version: 0,
            modified_at: now,
            rollout: Rollout::begin(now, &self.switches),
        };
        Arc::make_mut(&mut self.lists).insert(id.clone(), list);
        id
    }

    pub(super) fn get_list(&self, now: Timestamp, id: &str) -> Result<AnycastIpList, ServiceError> {
        self.lists.get(id).map(|list| self.shown_list(list, now)).ok_or_else(|| list_not_found(id))
    }

    pub(super) fn delete_list(&mut self, id: &str, if_match: Option<&str>) -> Result<(), ServiceError> {
        let list = self.lists.get(id).ok_or_else(|| list_not_found(id))?;
        self.check_version(list.version, Self::require_if_match(if_match)?)?;
        if self.groups_on_list(id) > 0 {
            return Err(ServiceError::new(
                ErrorCode::CannotDeleteEntityWhileInUse,
                "The Anycast IP list cannot be deleted while it is in use.",
            ));
        }
        Arc::make_mut(&mut self.lists).remove(id);
        Ok(())
    }

    pub(super) fn list_lists(&self, now: Timestamp, page: &PageRequest) -> Result<Page<AnycastIpList>, ServiceError> {
        let lists = self.lists.iter().map(|(id, list)| (id.as_str(), list));
        pages::cut(lists, PREFIX, page, &self.switches, |list| self.shown_list(list, now))
    }

    pub(super) fn list_arn(&self, id: &str) -> String {
        self.arn("anycast-ip-list", id)
    }

    pub(super) fn shown_list(&self, list: &List, now: Timestamp) -> AnycastIpList {
        AnycastIpList {
            id: list.id.clone(),
            name: list.name.clone(),
            arn: self.list_arn(&list.id),
            status: list.rollout.status(now),
            ip_address_type: list.ip_address_type,
            anycast_ips: addresses(list),
            ip_count: list.ip_count,
            last_modified_time: list.modified_at,
            etag: etag::of_version(list.version),
        }
    }
}

/// Addresses from the blocks reserved for documentation.
fn addresses(list: &List) -> Vec<String> {
    let first = list.serial.wrapping_mul(21) % 230;
    let hosts = (1..=u64::from(list.ip_count)).map(|n| first + n);
    let v4 = hosts.clone().map(|host| format!("198.51.100.{host}"));
    let v6 = hosts.map(|host| format!("2001:db8:{:x}::{host:x}", list.serial));
    match list.ip_address_type {
        IpAddressType::Ipv4 => v4.collect(),
        IpAddressType::Ipv6 => v6.collect(),
        IpAddressType::Dualstack => v4.chain(v6).collect(),
    }
}

fn list_not_found(id: &str) -> ServiceError {
    not_found(&format!("The specified Anycast IP list {id} does not exist."))
}
