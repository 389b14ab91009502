//! Metrics of masks: one value per case.

use super::Direction::LowerIsBetter;
use super::Undefined::{BothEmpty, PredictionEmpty, ReferenceEmpty, ZeroDenominator};
use super::{Convention, FRACTION, Level, MetricSpec, MetricTask, Parameter};

const RELOADED: &str = "Maier-Hein et al. 2024, doi:10.1038/s41592-023-02151-z";

const OVERLAP: MetricSpec = MetricSpec {
    task: MetricTask::Segmentation,
    level: Level::Case,
    undefined: &[BothEmpty],
    reference: RELOADED,
    ..FRACTION
};

const DISTANCE: MetricSpec = MetricSpec {
    direction: LowerIsBetter,
    unit: "mm",
    range: (0.0, f64::INFINITY),
    target: 0.0,
    decimals: 2,
    undefined: &[BothEmpty, ReferenceEmpty, PredictionEmpty],
    ..OVERLAP
};

const VOLUME: MetricSpec = MetricSpec { unit: "mL", undefined: &[], ..DISTANCE };

const VOXEL: &str = "border voxels: the mask without its 6-neighbour erosion, outside being background";
const SURFEL: &str =
    "surface elements at voxel corners, weighted by their area; as DeepMind's surface-distance";

const fn tolerance_mm(default: f64) -> Parameter {
    Parameter {
        name: "tolerance",
        unit: "mm",
        default: Some(default),
        range: (0.0, 1000.0),
        is_integer: false,
    }
}

const OVERLAP_OF_LESIONS: Parameter = Parameter {
    name: "smallest IoU of a match",
    unit: "",
    default: Some(0.1),
    range: (0.0, 1.0),
    is_integer: false,
};

/// Of panoptic quality, which bare ids compute from one half on.
const OVERLAP_OF_INSTANCES: Option<Parameter> = Some(Parameter { default: None, ..OVERLAP_OF_LESIONS });

const BRATS: &[Convention] = &[
    Convention {
        name: "brats_glioma",
        definition: "lesions that join when dilated 3 times are one, those of at most 50 mm³ are left out",
    },
    Convention { name: "brats_meningioma", definition: "the same with 1 dilation" },
    Convention { name: "brats_metastases", definition: "1 dilation, lesions of at most 2 mm³ are left out" },
];

pub(super) const METRICS: &[MetricSpec] = &[
    MetricSpec {
        id: "dice",
        name: "Dice similarity",
        short: "Dice",
        reference: "also DSC, F1 of voxels; Maier-Hein et al. 2024, doi:10.1038/s41592-023-02151-z",
        ..OVERLAP
    },
    MetricSpec {
        id: "iou",
        name: "Intersection over union",
        short: "IoU",
        reference: "also Jaccard index; Maier-Hein et al. 2024, doi:10.1038/s41592-023-02151-z",
        ..OVERLAP
    },
    MetricSpec {
        id: "f_beta",
        name: "F-beta of voxels",
        short: "F-beta",
        parameter: Some(Parameter {
            name: "beta",
            unit: "",
            default: Some(2.0),
            range: (0.01, 100.0),
            is_integer: false,
        }),
        ..OVERLAP
    },
    MetricSpec {
        id: "voxel_sensitivity",
        name: "Sensitivity of voxels",
        short: "Voxel sens.",
        undefined: &[BothEmpty, ReferenceEmpty],
        ..OVERLAP
    },
    MetricSpec {
        id: "voxel_precision",
        name: "Precision of voxels",
        short: "Voxel prec.",
        undefined: &[BothEmpty, PredictionEmpty],
        ..OVERLAP
    },
    MetricSpec {
        id: "voxel_specificity",
        name: "Specificity of voxels",
        short: "Voxel spec.",
        undefined: &[ZeroDenominator],
        ..OVERLAP
    },
    MetricSpec {
        id: "nsd",
        name: "Normalised surface distance",
        short: "NSD",
        conventions: &[
            Convention { name: "voxel", definition: VOXEL },
            Convention { name: "surfel", definition: SURFEL },
        ],
        parameter: Some(tolerance_mm(1.0)),
        reference: "share of both surfaces within the tolerance of the other; Nikolov et al. 2021, doi:10.2196/26151",
        ..OVERLAP
    },
    MetricSpec { id: "hd", name: "Hausdorff distance", short: "HD", ..DISTANCE },
    MetricSpec {
        id: "hd95",
        name: "95th percentile of the Hausdorff distance",
        short: "HD95",
        conventions: &[
            Convention {
                name: "max_directed",
                definition: "larger of the two directed 95th percentiles, interpolated; as MONAI, MetricsReloaded",
            },
            Convention {
                name: "pooled",
                definition: "95th percentile of both directions together; as MedPy, panoptica",
            },
            Convention {
                name: "surfel",
                definition: "larger of the two directed, area-weighted; as DeepMind's surface-distance",
            },
        ],
        ..DISTANCE
    },
    MetricSpec { id: "assd", name: "Average symmetric surface distance", short: "ASSD", ..DISTANCE },
    MetricSpec { id: "masd", name: "Mean average surface distance", short: "MASD", ..DISTANCE },
    MetricSpec {
        id: "boundary_iou",
        name: "Boundary intersection over union",
        short: "Boundary IoU",
        parameter: Some(Parameter {
            name: "width in voxels",
            unit: "",
            default: Some(2.0),
            range: (1e-6, 100.0),
            is_integer: false,
        }),
        reference: "Cheng et al. 2021, doi:10.1109/CVPR46437.2021.01508",
        ..OVERLAP
    },
    MetricSpec {
        id: "cldice",
        name: "Centreline Dice",
        short: "clDice",
        undefined: &[BothEmpty, ReferenceEmpty, PredictionEmpty],
        reference: "Shit et al. 2021, doi:10.1109/CVPR46437.2021.01629; skeletons of Lee et al. 1994",
        ..OVERLAP
    },
    MetricSpec { id: "centroid_distance", name: "Distance of the centroids", short: "Centroid", ..DISTANCE },
    MetricSpec {
        id: "volume_error_ml",
        name: "Volume error",
        short: "Volume error",
        reference: "absolute difference of predicted and reference volume",
        ..VOLUME
    },
    MetricSpec {
        id: "relative_volume_error",
        name: "Relative volume error",
        short: "Rel. volume error",
        unit: "",
        decimals: 3,
        undefined: &[BothEmpty, ReferenceEmpty],
        reference: "absolute difference of the volumes over the reference volume",
        ..VOLUME
    },
    MetricSpec {
        id: "false_positive_volume_ml",
        name: "False positive volume",
        short: "FP volume",
        reference: "volume of predicted components without any overlap with the reference; autoPET",
        ..VOLUME
    },
    MetricSpec {
        id: "false_negative_volume_ml",
        name: "False negative volume",
        short: "FN volume",
        reference: "volume of reference components without any overlap with the prediction; autoPET",
        ..VOLUME
    },
    MetricSpec {
        id: "pq",
        name: "Panoptic quality",
        short: "PQ",
        parameter: OVERLAP_OF_INSTANCES,
        reference: "sum of the IoU of matches over (TP + FP/2 + FN/2), 26-connected, IoU of at least one half, or of the number after `@`: below one half an instance may overlap several, and they are matched as for `lesion_f1`; Kirillov et al. 2019, doi:10.1109/CVPR.2019.00963",
        ..OVERLAP
    },
    MetricSpec {
        id: "sq",
        name: "Segmentation quality",
        short: "SQ",
        parameter: OVERLAP_OF_INSTANCES,
        undefined: &[BothEmpty],
        reference: "mean IoU of matches, 0 without a match; matching as for `pq`; Kirillov et al. 2019, doi:10.1109/CVPR.2019.00963",
        ..OVERLAP
    },
    MetricSpec {
        id: "rq",
        name: "Recognition quality",
        short: "RQ",
        parameter: OVERLAP_OF_INSTANCES,
        reference: "F1 of matched instances; matching as for `pq`; Kirillov et al. 2019, doi:10.1109/CVPR.2019.00963",
        ..OVERLAP
    },
    MetricSpec {
        id: "lesion_f1",
        name: "F1 of lesions",
        short: "Lesion F1",
        parameter: Some(OVERLAP_OF_LESIONS),
        reference: "26-connected lesions; matched one to one, the largest IoU first, from the smallest IoU on (any overlap for 0); the default is PI-CAI's, Saha et al. 2024, doi:10.1016/S1470-2045(24)00220-1",
        ..OVERLAP
    },
    MetricSpec {
        id: "lesion_sensitivity",
        name: "Sensitivity of lesions",
        short: "Lesion sens.",
        parameter: Some(OVERLAP_OF_LESIONS),
        undefined: &[BothEmpty, ReferenceEmpty],
        reference: "share of reference lesions that are found; matching as for `lesion_f1`",
        ..OVERLAP
    },
    MetricSpec {
        id: "lesion_precision",
        name: "Precision of lesions",
        short: "Lesion prec.",
        parameter: Some(OVERLAP_OF_LESIONS),
        undefined: &[BothEmpty, PredictionEmpty],
        reference: "share of predicted lesions that find one; matching as for `lesion_f1`",
        ..OVERLAP
    },
    MetricSpec {
        id: "lesion_dice",
        name: "Mean Dice of lesions",
        short: "Lesion Dice",
        conventions: BRATS,
        undefined: &[],
        reference: "mean over lesions and false lesions (0 each), 1 where there is neither; BraTS 2023, Moawad et al., doi:10.48550/arXiv.2306.00838",
        ..OVERLAP
    },
    MetricSpec {
        id: "lesion_hd95",
        name: "Mean HD95 of lesions",
        short: "Lesion HD95",
        conventions: BRATS,
        undefined: &[],
        reference: "mean of `hd95.surfel` over lesions; 374 mm for each missed or false one, 0 where there is neither; BraTS 2023, Moawad et al., doi:10.48550/arXiv.2306.00838",
        ..DISTANCE
    },
];
