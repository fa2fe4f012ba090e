//! What belongs to one AWS account: the inventory of its connection groups, and those with our owner tag that no object manages.

pub mod inventory;
pub mod orphans;
