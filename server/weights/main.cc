// graft-weights: puts backbone weights into a data folder.
#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "core/base/data_folder.h"
#include "core/network/backbone_catalog.h"
#include "server/weights/import_weights.h"

namespace graft::server {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

struct Flags {
  std::string data_dir, backbone, file;
  std::string output = "table";
  uint64_t seed = 0;
};

void AddCommonFlags(CLI::App& command, Flags& flags) {
  std::vector<std::string> names;
  for (const network::BackboneFacts& facts : network::Backbones()) names.push_back(facts.name);
  command.add_option("--data-dir", flags.data_dir, "The server's data folder")->required();
  command.add_option("--backbone", flags.backbone, "Which network")->required()->check(CLI::IsMember(names));
  command.add_option("-o,--output", flags.output, "table or json")->check(CLI::IsMember({"table", "json"}));
}

void Print(const weights::StoredWeights& weights, const std::string& output) {
  if (output == "json") {
    std::cout << nlohmann::json{{"backbone", weights.backbone},
                                {"sha256", weights.sha256},
                                {"path", weights.path},
                                {"source", weights.source},
                                {"licence", weights.licence}}
                     .dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
              << "\n";
  } else {
    std::cout << weights.backbone << " " << weights.sha256 << " " << weights.path << "\n";
  }
}

int Report(const absl::StatusOr<weights::StoredWeights>& weights, const std::string& output) {
  if (!weights.ok()) {
    std::cerr << "graft-weights: " << weights.status().message() << "\n";
    return kFailed;
  }
  Print(*weights, output);
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app("Puts backbone weights into a data folder, where graft-server and graft-worker find them.",
               "graft-weights");
  app.require_subcommand(1);
  Flags flags;
  CLI::App* import = app.add_subcommand("import", "Import a Keras .h5 weights file, with or without its top");
  AddCommonFlags(*import, flags);
  import->add_option("--file", flags.file, "The .h5 file, as Keras Applications publishes it")->required();
  CLI::App* random = app.add_subcommand("random", "Make random weights, to try the workflow without pretrained ones");
  AddCommonFlags(*random, flags);
  random->add_option("--seed", flags.seed, "Same seed, same weights");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }

  const std::string root = DataFolder{flags.data_dir}.weights();
  if (import->parsed()) return Report(ImportWeights(root, flags.backbone, flags.file), flags.output);
  std::cerr << "WARNING: these weights are random numbers. They only demonstrate the workflow; a model trained on them "
               "will classify poorly.\n";
  return Report(PutRandomWeights(root, flags.backbone, flags.seed), flags.output);
}

}  // namespace
}  // namespace graft::server

int main(int argc, char** argv) {
  return graft::server::Main(argc, argv);
}
