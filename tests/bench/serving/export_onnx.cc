// graft-export-onnx: writes the ONNX model of a backbone that a server compiles, for peers that run the same network.

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>

#include "core/base/data_folder.h"
#include "core/base/status_macros.h"
#include "core/network/onnx_writer.h"
#include "core/weights/weight_store.h"

namespace graft::bench {
namespace {

struct Options {
  DataFolder data;
  std::string backbone, out;
};

Options ParseFlags(int argc, char** argv) {
  CLI::App app("Writes a backbone as ONNX: uint8 [N, 224, 224, 3] to features [N, D].", "graft-export-onnx");
  Options options;
  app.add_option("--data-dir", options.data.root, "A server's data folder with the backbone's weights")->required();
  app.add_option("--backbone", options.backbone, "Such as mobilenet_v2")->required();
  app.add_option("--out", options.out, "The file to write")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  return options;
}

absl::Status Export(const Options& options) {
  ASSIGN_OR_RETURN(const network::BackboneFacts facts, network::FindBackbone(options.backbone));
  ASSIGN_OR_RETURN(const network::Architecture architecture, network::FindArchitecture(options.backbone));
  ASSIGN_OR_RETURN(const weights::StoredWeights stored,
                   weights::CurrentWeights(options.data.weights(), options.backbone));
  ASSIGN_OR_RETURN(const weights::Safetensors tensors, weights::Safetensors::Load(stored.path, stored.sha256));
  ASSIGN_OR_RETURN(const std::string onnx, network::WriteOnnx(facts, architecture, tensors));
  std::ofstream file(options.out, std::ios::binary);
  file << onnx;
  return file.flush() ? absl::OkStatus() : absl::UnavailableError("cannot write " + options.out);
}

}  // namespace
}  // namespace graft::bench

int main(int argc, char** argv) {
  const absl::Status exported = graft::bench::Export(graft::bench::ParseFlags(argc, argv));
  if (exported.ok()) return 0;
  std::cerr << "graft-export-onnx: " << exported << "\n";
  return 1;
}
