"""Functions of layers under the short names of `torch.nn.functional`.

They are the functions of asg, and take its arguments: axes are called ``axis``, nothing is ignored
unless ``ignore_index`` says so, and there is no ``inplace``. What PyTorch spells otherwise is here
under its name, too: ``logsigmoid`` and ``normalize``.

>>> import asg
>>> from asg import nn
>>> nn.functional.cross_entropy is nn.cross_entropy is asg.cross_entropy
True
"""

from asg.ops.activation import elu as elu
from asg.ops.activation import gelu as gelu
from asg.ops.activation import leaky_relu as leaky_relu
from asg.ops.activation import log_softmax as log_softmax
from asg.ops.activation import relu as relu
from asg.ops.activation import silu as silu
from asg.ops.activation import softmax as softmax
from asg.ops.activation import softplus as softplus
from asg.ops.adaptive import adaptive_avg_pool1d as adaptive_avg_pool1d
from asg.ops.adaptive import adaptive_avg_pool2d as adaptive_avg_pool2d
from asg.ops.adaptive import adaptive_avg_pool3d as adaptive_avg_pool3d
from asg.ops.adaptive import adaptive_max_pool1d as adaptive_max_pool1d
from asg.ops.adaptive import adaptive_max_pool2d as adaptive_max_pool2d
from asg.ops.adaptive import adaptive_max_pool3d as adaptive_max_pool3d
from asg.ops.attention import scaled_dot_product_attention as scaled_dot_product_attention
from asg.ops.blocks import fold as fold
from asg.ops.blocks import pixel_shuffle as pixel_shuffle
from asg.ops.blocks import pixel_unshuffle as pixel_unshuffle
from asg.ops.blocks import unfold as unfold
from asg.ops.convolution import conv1d as conv1d
from asg.ops.convolution import conv2d as conv2d
from asg.ops.convolution import conv3d as conv3d
from asg.ops.convolution import conv_transpose1d as conv_transpose1d
from asg.ops.convolution import conv_transpose2d as conv_transpose2d
from asg.ops.convolution import conv_transpose3d as conv_transpose3d
from asg.ops.curves import celu as celu
from asg.ops.curves import mish as mish
from asg.ops.curves import selu as selu
from asg.ops.curves import softmin as softmin
from asg.ops.curves import softsign as softsign
from asg.ops.curves import tanhshrink as tanhshrink
from asg.ops.distances import cosine_similarity as cosine_similarity
from asg.ops.distances import pairwise_distance as pairwise_distance
from asg.ops.distances import triplet_margin_with_distance_loss as triplet_margin_with_distance_loss
from asg.ops.dynamic_slices import embedding as embedding
from asg.ops.elementwise_unary import sigmoid as sigmoid
from asg.ops.elementwise_unary import tanh as tanh
from asg.ops.floats import log_sigmoid as log_sigmoid
from asg.ops.gates import geglu as geglu
from asg.ops.gates import glu as glu
from asg.ops.gates import swiglu as swiglu
from asg.ops.grids import affine_grid as affine_grid
from asg.ops.index import one_hot as one_hot
from asg.ops.likelihoods import binary_cross_entropy as binary_cross_entropy
from asg.ops.likelihoods import binary_cross_entropy_with_logits as binary_cross_entropy_with_logits
from asg.ops.likelihoods import focal_loss as focal_loss
from asg.ops.likelihoods import gaussian_nll_loss as gaussian_nll_loss
from asg.ops.likelihoods import kl_div as kl_div
from asg.ops.likelihoods import nll_loss as nll_loss
from asg.ops.likelihoods import poisson_nll_loss as poisson_nll_loss
from asg.ops.loss import cross_entropy as cross_entropy
from asg.ops.loss import huber_loss as huber_loss
from asg.ops.loss import l1_loss as l1_loss
from asg.ops.loss import mse_loss as mse_loss
from asg.ops.loss import smooth_l1_loss as smooth_l1_loss
from asg.ops.margins import cosine_embedding_loss as cosine_embedding_loss
from asg.ops.margins import dice_loss as dice_loss
from asg.ops.margins import hinge_embedding_loss as hinge_embedding_loss
from asg.ops.margins import hinge_loss as hinge_loss
from asg.ops.margins import margin_ranking_loss as margin_ranking_loss
from asg.ops.margins import multi_margin_loss as multi_margin_loss
from asg.ops.margins import multilabel_margin_loss as multilabel_margin_loss
from asg.ops.margins import squared_hinge_loss as squared_hinge_loss
from asg.ops.margins import triplet_margin_loss as triplet_margin_loss
from asg.ops.norm import layer_norm as layer_norm
from asg.ops.norm import rms_norm as rms_norm
from asg.ops.normalisation import group_norm as group_norm
from asg.ops.normalisation import l2_normalize as l2_normalize
from asg.ops.normalisation import local_response_norm as local_response_norm
from asg.ops.piecewise import hardshrink as hardshrink
from asg.ops.piecewise import hardsigmoid as hardsigmoid
from asg.ops.piecewise import hardswish as hardswish
from asg.ops.piecewise import hardtanh as hardtanh
from asg.ops.piecewise import prelu as prelu
from asg.ops.piecewise import relu6 as relu6
from asg.ops.piecewise import rrelu as rrelu
from asg.ops.piecewise import softshrink as softshrink
from asg.ops.piecewise import threshold as threshold
from asg.ops.pooling import avg_pool1d as avg_pool1d
from asg.ops.pooling import avg_pool2d as avg_pool2d
from asg.ops.pooling import avg_pool3d as avg_pool3d
from asg.ops.pooling import lp_pool1d as lp_pool1d
from asg.ops.pooling import lp_pool2d as lp_pool2d
from asg.ops.pooling import lp_pool3d as lp_pool3d
from asg.ops.pooling import max_pool1d as max_pool1d
from asg.ops.pooling import max_pool1d_with_indices as max_pool1d_with_indices
from asg.ops.pooling import max_pool2d as max_pool2d
from asg.ops.pooling import max_pool2d_with_indices as max_pool2d_with_indices
from asg.ops.pooling import max_pool3d as max_pool3d
from asg.ops.pooling import max_pool3d_with_indices as max_pool3d_with_indices
from asg.ops.resampling import grid_sample as grid_sample
from asg.ops.sequences import ctc_loss as ctc_loss
from asg.ops.soft_margins import multilabel_soft_margin_loss as multilabel_soft_margin_loss
from asg.ops.soft_margins import soft_margin_loss as soft_margin_loss

logsigmoid = log_sigmoid
normalize = l2_normalize
