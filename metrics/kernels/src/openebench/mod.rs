//! OpenEBench's classes of tools: quartiles and clusters.
