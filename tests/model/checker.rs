//! The checker itself: what it must notice.
