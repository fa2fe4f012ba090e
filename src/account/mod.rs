//! What belongs to one AWS account: the inventory of its connection groups, and those among them that no object names.

pub mod inventory;
pub mod orphans;
