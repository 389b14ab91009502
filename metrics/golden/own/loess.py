"""Writes loess.json: R's loess(y ~ p) on four cases of calibration_binary.json (R is called as `Rscript`).

Made with R 4.2.2 (Debian). `interpolate` is R's default surface, `direct` is surface = "direct"; both span 0.75, degree 2. A fit
that R warns of (pseudoinverse) is kept: our crate follows the same rule. Own script; no code of others.
"""
import json, os, subprocess

here = os.path.dirname(os.path.abspath(__file__))
cases = json.load(open(os.path.join(here, "..", "calibration_binary.json")))["cases"]
out = {"meta": {"about": "R loess of outcome on probability", "R": "%s"}, "cases": []}
R = """
v <- scan(file("stdin"), quiet = TRUE); n <- length(v) / 2; p <- v[1:n]; y <- v[(n + 1):(2 * n)]
for (s in c("interpolate", "direct")) {
  fit <- suppressWarnings(loess(y ~ p, control = loess.control(surface = s)))
  cat(sprintf("%.17g", fitted(fit)), "\\n")
  d <- abs(fitted(fit) - p)
  cat(sprintf("%.17g", c(mean(d), median(d), quantile(d, 0.9, names = FALSE), max(d))), "\\n")
}
cat(paste(R.version$major, R.version$minor, sep = "."), "\\n")
"""
for case in cases[:4]:
    text = " ".join(repr(v) for v in case["prob"] + case["y"])
    lines = subprocess.run(["Rscript", "-e", R], input=text, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [[float(v) for v in line.split()] for line in lines[:4]]
    out["meta"]["R"] = lines[4].strip()
    keys = ["ici", "e50", "e90", "emax"]
    expected = {s: {"fitted": rows[2 * i], **dict(zip(keys, rows[2 * i + 1]))} for i, s in enumerate(["interpolate", "direct"])}
    out["cases"].append({"id": case["id"], "expected": expected})
json.dump(out, open(os.path.join(here, "loess.json"), "w"))
