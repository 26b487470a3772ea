//! SLSA verification summaries. Read in a later issue.
