//! Cuts a list into pages. Pure.

use crate::error::ServiceError;
use crate::request::PageRequest;
use crate::response::Page;
use crate::switches::{OversizedPage, Switches};

use super::invalid_argument;

/// The page of `items` that was asked for. `items` come in order of their ids, all of which start with `prefix`; a
/// marker is the id of the last item of the page before, so it stays good when that item is deleted.
pub(super) fn cut<'a, T: 'a, U>(
    items: impl Iterator<Item = (&'a str, &'a T)>,
    prefix: &str,
    request: &PageRequest,
    switches: &Switches,
    show: impl Fn(&'a T) -> U,
) -> Result<Page<U>, ServiceError> {
    let max_items = page_size(request.max_items, switches)?;
    let marker = request.marker.as_deref().filter(|marker| !marker.is_empty());
    if let Some(marker) = marker.filter(|marker| !marker.starts_with(prefix)) {
        return Err(invalid_argument(format!("The marker {marker} is not valid.")));
    }
    let mut rest = items.skip_while(|(id, _)| marker.is_some_and(|marker| *id <= marker)).peekable();
    let page: Vec<_> = rest.by_ref().take(max_items as usize).collect();
    let next_marker = match (rest.peek(), page.last()) {
        (Some(_), Some((last, _))) => Some((*last).to_owned()),
        _ => None,
    };
    Ok(Page {
        items: page.into_iter().map(|(_, item)| show(item)).collect(),
        marker: marker.map(ToOwned::to_owned),
        max_items,
        next_marker,
    })
}

fn page_size(asked: Option<i32>, switches: &Switches) -> Result<u32, ServiceError> {
    let Some(asked) = asked else { return Ok(switches.page_size.min(switches.page_size_max)) };
    match u32::try_from(asked) {
        Ok(size @ 1..) if size <= switches.page_size_max => Ok(size),
        Ok(1..) if switches.oversized_page == OversizedPage::Clamp => Ok(switches.page_size_max),
        _ => Err(invalid_argument(format!("MaxItems must be 1 to {}, not {asked}.", switches.page_size_max))),
    }
}
