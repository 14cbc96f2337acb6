"""Trees and forests."""

from zero.pipelines.families import Family, register
from zero.pipelines.parameters import choice, number, whole

_LEAF = whole("min_samples_leaf", 1, 64, 9, log=True, default=1)
_SHARE = number("max_features", 0.1, 1.0, 9, default=0.4)

register(
    Family(
        "tree",
        "one decision tree, which can be read",
        "sklearn.tree:DecisionTreeClassifier",
        "sklearn.tree:DecisionTreeRegressor",
        parameters=(
            whole("max_depth", 1, 16, 10, default=5),
            whole("min_samples_leaf", 1, 128, 9, log=True, default=8),
        ),
        classifier_parameters=(choice("class_weight", None, "balanced"),),
        takes_nan=True,
    )
)
for _name, _about, _class in (
    ("random_forest", "random forest", "RandomForest"),
    ("extra_trees", "extremely randomised trees", "ExtraTrees"),
):
    register(
        Family(
            _name,
            _about,
            f"sklearn.ensemble:{_class}Classifier",
            f"sklearn.ensemble:{_class}Regressor",
            parameters=(
                _SHARE,
                _LEAF,
                whole("n_estimators", 50, 800, 5, log=True, default=200),
                *(() if _class == "RandomForest" else (choice("bootstrap", False, True),)),
            ),
            classifier_parameters=(
                choice("criterion", "gini", "entropy"),
                choice("class_weight", None, "balanced"),
            ),
            fixed={"n_jobs": 1},
            takes_sparse=True,
            takes_nan=True,
            grows="n_estimators",
        )
    )
