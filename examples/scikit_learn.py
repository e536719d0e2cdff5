"""A network among the estimators of scikit-learn: in a pipeline, and in a search for its size.

    python examples/scikit_learn.py

Prints the accuracy of each size by cross-validation, and that of the best on unseen wines.
Needs scikit-learn: pip install 'asg-compiler[data]'.
"""

from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from asg.sklearn import Classifier

x, y = load_wine(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0, stratify=y)

network = Classifier(optimizer="adam", learning_rate=1e-2, epochs=25, random_state=0)
pipeline = make_pipeline(StandardScaler(), network)
search = GridSearchCV(pipeline, {"classifier__hidden": [(), (8,), (32, 32)]}, cv=3)
search.fit(x_train, y_train)
for size, accuracy in zip(search.cv_results_["param_classifier__hidden"],
                          search.cv_results_["mean_test_score"], strict=True):  # fmt: skip
    print(f"hidden layers {size}: {accuracy:.3f}")
print(f"the best of them on {len(y_test)} unseen wines: {search.score(x_test, y_test):.3f}")
