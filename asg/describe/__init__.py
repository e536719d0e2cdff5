"""Graphs as data for people and pictures: the document, summaries, differences, drawing."""

from asg.describe.diff import graph_diff as graph_diff
from asg.describe.document import describe as describe
from asg.describe.picture import graph_of as graph_of
from asg.describe.picture import render as render
from asg.describe.picture import svg as svg
from asg.describe.schema import Document as Document
from asg.describe.schema import as_document as as_document
from asg.describe.schema import from_json as from_json
from asg.describe.schema import to_json as to_json
from asg.describe.summary import summary as summary
