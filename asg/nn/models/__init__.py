"""Well-known architectures, with the parameter names of their best-known implementations."""

from asg.nn.models.lstm_language_model import LSTMLanguageModel as LSTMLanguageModel
from asg.nn.models.mamba_language_model import MambaConfig as MambaConfig
from asg.nn.models.mamba_language_model import MambaLM as MambaLM
from asg.nn.models.translation import AttentionSeq2Seq as AttentionSeq2Seq
