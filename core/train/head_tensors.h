// Between plain heads and vectors and LibTorch's tensors.
#pragma once

#include <torch/types.h>

#include <vector>

#include "core/train/head_trainer.h"
#include "core/train/labelled_features.h"
#include "core/train/softmax_regression.h"
#include "core/weights/safetensors.h"

namespace graft::train {

// A float32 copy on the device, aligned as LibTorch aligns.
torch::Tensor ToTensor(const std::vector<float>& values, at::IntArrayRef shape, const at::Device& device);
std::vector<float> ToVector(const torch::Tensor& tensor);

HeadTensors ToTensors(const Head& head, const at::Device& device);
Head ToHead(const HeadTensors& tensors);

// [rows, dimension], and [rows] int64.
torch::Tensor FeatureTensor(const LabelledFeatures& features, const at::Device& device);
torch::Tensor LabelTensor(const LabelledFeatures& features, const at::Device& device);

// Of a contiguous float32 tensor on the CPU, which must outlive the view.
weights::TensorView ViewOf(const torch::Tensor& tensor);

}  // namespace graft::train
