//! Matching of lesions and other instances: panoptic quality, lesion-wise scores.
