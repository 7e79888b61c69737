// Between the core's plain data and the protos: the one place where both are known.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/dataset/dataset.h"
#include "core/dataset/dataset_store.h"
#include "core/dataset/import.h"
#include "core/inference/classifier.h"
#include "core/jobs/forecast.h"
#include "core/jobs/job.h"
#include "core/registry/evaluation_record.h"
#include "core/registry/registry.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "graft/v1/dataset.pb.h"
#include "graft/v1/inference.pb.h"
#include "graft/v1/model.pb.h"
#include "graft/v1/training.pb.h"

namespace graft::services {

google::protobuf::Timestamp ToProto(absl::Time time);
google::protobuf::Duration ToProto(absl::Duration duration);

// ---- convert_job.cc ----
jobs::TrainSpec FromProto(const v1::TrainSpec& spec);
v1::TrainSpec ToProto(const jobs::TrainSpec& spec);
v1::JobResult ToProto(const jobs::Result& result);
// What of a result grows with the number of classes or trials, and lists leave out: a page of it could exceed a
// message.
void LeaveOutDetails(v1::JobResult& result);
v1::JobEvent ToProto(const jobs::Event& event);
v1::Job ToProto(const jobs::Job& job);
v1::Job ToProto(const jobs::Job& job, const jobs::Outlook& outlook);
// The id of "jobs/{id}", or of the bare id. InvalidField("name") when there is none.
absl::StatusOr<std::string> JobIdOf(absl::string_view name);

// ---- convert_dataset.cc ----
v1::DatasetVersion ToProto(const dataset::Version& version);
v1::DatasetReport ToProto(const dataset::Report& report);
dataset::AnnouncedFile FromProto(const v1::UploadDatasetRequest::File& file);
v1::UploadDatasetResponse ToProto(const dataset::ImportProgress& progress);
v1::DiffDatasetVersionsResponse::File ToProto(const dataset::Example& example, const std::vector<std::string>& labels);

// ---- convert_model.cc ----
// DataLoss when the stored manifest cannot be read.
absl::StatusOr<v1::ModelVersion> ToProto(const registry::ModelVersion& version);
absl::StatusOr<v1::Model> ToProto(const registry::ModelSummary& summary);
v1::Suspect ToProto(const registry::Suspect& suspect);
v1::AliasMove ToProto(const std::string& model, const registry::AliasMove& move);
v1::PhaseTimes ToProto(const inference::PhaseTimes& times);
v1::ClassifyResponse ToProto(const inference::Classification& classification);

}  // namespace graft::services
