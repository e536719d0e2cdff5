"""Well-known architectures, with the parameter names of their best-known implementations."""

from asg.nn.models.autoencoder import VAE as VAE
from asg.nn.models.autoencoder import Autoencoder as Autoencoder
from asg.nn.models.autoencoder import vae_loss as vae_loss
from asg.nn.models.efficientnet import EfficientNet as EfficientNet
from asg.nn.models.efficientnet import efficientnet_b0 as efficientnet_b0
from asg.nn.models.lenet import LeNet5 as LeNet5
from asg.nn.models.lstm_language_model import LSTMLanguageModel as LSTMLanguageModel
from asg.nn.models.mamba_language_model import MambaConfig as MambaConfig
from asg.nn.models.mamba_language_model import MambaLM as MambaLM
from asg.nn.models.mlp import MLP as MLP
from asg.nn.models.mobilenet import MobileNetV2 as MobileNetV2
from asg.nn.models.mobilenet import mobilenet_v2 as mobilenet_v2
from asg.nn.models.resnet import BasicBlock as BasicBlock
from asg.nn.models.resnet import Bottleneck as Bottleneck
from asg.nn.models.resnet import ResNet as ResNet
from asg.nn.models.resnet import resnet18 as resnet18
from asg.nn.models.resnet import resnet34 as resnet34
from asg.nn.models.resnet import resnet50 as resnet50
from asg.nn.models.translation import AttentionSeq2Seq as AttentionSeq2Seq
from asg.nn.models.vgg import VGG as VGG
from asg.nn.models.vgg import vgg11 as vgg11
from asg.nn.models.vgg import vgg11_bn as vgg11_bn
from asg.nn.models.vgg import vgg16 as vgg16
from asg.nn.models.vgg import vgg16_bn as vgg16_bn
