// graft-copy-versions: publishes many models that share one backbone, each a copy of a version with another bias,
// through the registry's own Stage and Publish. What a thousand training jobs would leave, in seconds; the server may
// run.

#include <CLI/CLI.hpp>
#include <cstring>
#include <iostream>
#include <stdexcept>

#include "absl/strings/str_format.h"
#include "core/base/data_folder.h"
#include "core/base/status_macros.h"
#include "core/registry/manifest.h"
#include "core/registry/registry.h"
#include "core/store/database.h"
#include "core/weights/safetensors.h"

namespace graft::bench {
namespace {

struct Options {
  DataFolder data;
  std::string model;
  std::string prefix = "copy";
  int copies = 1000;
};

Options ParseFlags(int argc, char** argv) {
  CLI::App app("Publishes copies of a model version as models of their own and prints their names.",
               "graft-copy-versions");
  Options options;
  app.add_option("--data-dir", options.data.root, "A server's data folder; the server may run")->required();
  app.add_option("--model", options.model, "The version to copy")->required();
  app.add_option("--prefix", options.prefix, "The copies are PREFIX-0001, ...")->capture_default_str();
  app.add_option("--copies", options.copies, "How many")->capture_default_str()->check(CLI::Range(1, 9999));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  return options;
}

// The head's file with `number` millionths added to the first class' bias, so that no two are equal.
std::string HeadOf(const weights::Safetensors& original, int number) {
  std::map<std::string, weights::TensorView> tensors = original.tensors();
  weights::TensorView& bias = tensors.at("head/bias");
  std::string bytes(bias.data);
  float first = 0;
  std::memcpy(&first, bytes.data(), sizeof(first));
  first += static_cast<float>(number) * 1e-6f;
  std::memcpy(bytes.data(), &first, sizeof(first));
  bias.data = bytes;
  return weights::Serialize(tensors, original.metadata());
}

absl::Status CopyVersions(const Options& options) {
  ASSIGN_OR_RETURN(const auto database, store::Database::Open(options.data.database()));
  registry::Registry registry(database.get(), options.data.models());
  ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference("--model", "models", options.model));
  ASSIGN_OR_RETURN(const registry::ModelVersion version, registry.Find(reference));
  ASSIGN_OR_RETURN(registry::Manifest manifest, registry::ManifestFromJson(version.manifest));
  ASSIGN_OR_RETURN(const weights::Safetensors head, weights::Safetensors::Load(version.head_path, version.head_sha256));
  for (int number = 1; number <= options.copies; ++number) {
    manifest.model = absl::StrFormat("%s-%04d", options.prefix, number);
    ASSIGN_OR_RETURN(const std::string json, registry::ToJson(manifest));
    ASSIGN_OR_RETURN(const registry::Staged staged,
                     registry.Stage(manifest.model, version.backbone, version.backbone_sha256, version.job_id,
                                    {.head = HeadOf(head, number), .manifest = json}));
    RETURN_IF_ERROR(database->Write("copy version", [&](store::Transaction& transaction) {
      return registry.Publish(transaction, staged, /*alias=*/"").status();
    }));
    std::cout << manifest.model << "\n";
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace graft::bench

int main(int argc, char** argv) {
  const absl::Status copied = graft::bench::CopyVersions(graft::bench::ParseFlags(argc, argv));
  if (copied.ok()) return 0;
  std::cerr << "graft-copy-versions: " << copied << "\n";
  return 1;
}
