#include "server/main/limits.h"

#include "core/dataset/import.h"
#include "core/dataset/split.h"
#include "core/image/decode.h"
#include "core/inference/classifier.h"
#include "core/jobs/job_store.h"
#include "core/jobs/train_spec.h"
#include "server/main/grpc_server.h"
#include "server/rpc/unary_call.h"
#include "server/services/batch_classification.h"
#include "server/services/classify_stream.h"
#include "server/services/dataset_service.h"
#include "server/services/health_service.h"
#include "server/services/model_service.h"
#include "server/services/open_inference_stream.h"
#include "server/services/page_token.h"
#include "server/services/training_service.h"
#include "server/services/upload_session.h"

namespace graft {

std::map<std::string, int64_t> Limits(const ServerSettings& settings) {
  const dataset::ImportLimits import;
  const image::DecodeLimits decode;
  const inference::ClassifierOptions classifier;
  const jobs::JobStoreOptions jobs;
  const access::RateLimits& rates = settings.access.rates;
  return {
      // Connections.
      {"max_connections", settings.connection.most},
      {"max_message_bytes", kMaxMessageBytes},
      {"max_metadata_bytes", kMaxMetadataBytes},
      {"max_streams_per_connection", kMaxStreamsPerConnection},
      {"handshake_timeout_seconds", absl::ToInt64Seconds(settings.connection.handshake)},
      {"max_connection_idle_seconds", absl::ToInt64Seconds(settings.connection.idle)},
      {"max_connection_age_seconds", absl::ToInt64Seconds(settings.connection.age)},
      {"max_connection_age_grace_seconds", absl::ToInt64Seconds(settings.connection.age_grace)},
      {"keepalive_seconds", absl::ToInt64Seconds(settings.connection.keepalive)},
      {"keepalive_timeout_seconds", absl::ToInt64Seconds(settings.connection.keepalive_timeout)},
      {"min_ping_interval_seconds", absl::ToInt64Seconds(settings.connection.ping_interval)},
      {"max_ping_strikes", settings.connection.ping_strikes},
      {"max_unary_seconds", absl::ToInt64Seconds(rpc::kMaxUnaryTime)},
      {"max_page_size", services::kMaxPageSize},
      // Principals, where callers are asked who they are.
      {"max_calls_per_second_per_principal", static_cast<int64_t>(rates.calls_per_second)},
      {"max_calls_at_once_per_principal", static_cast<int64_t>(rates.burst)},
      {"max_streams_per_principal", rates.max_streams},
      {"max_queued_jobs_per_principal", jobs.max_queued_per_principal},
      // Classify.
      {"max_image_bytes", settings.max_image_bytes},
      {"max_image_pixels", decode.max_pixels},
      {"max_image_side", decode.max_side},
      {"max_jpeg_scans", decode.max_jpeg_scans},
      {"max_jpeg_seconds", absl::ToInt64Seconds(decode.max_jpeg_time)},
      {"max_decode_bytes", decode.max_pixels * image::kMostDecodeBytesPerPixel},
      {"max_top_k", inference::kMaxTopK},
      {"max_batch_images", services::kMaxBatchImages},
      {"max_batch_bytes", services::kMaxBatchBytes},
      {"max_waiting_images", classifier.queue_capacity},
      {"max_waiting_bytes", classifier.queue_capacity_bytes},
      {"max_classify_streams", services::kMaxClassifyStreams},
      {"max_infer_streams", services::kMaxInferStreams},
      {"max_stream_items_under_way", services::kClassifyWindow.messages},
      {"max_stream_bytes_under_way", services::kClassifyWindow.bytes},
      {"max_compared_versions", services::kMostComparedVersions},
      {"max_measured_versions", services::kMostMeasuredVersions},
      // Data sets.
      {"max_upload_message_bytes", services::kMaxUploadMessageBytes},
      {"max_uploads", services::DatasetService::kMaxUploads},
      {"max_file_bytes", import.max_file_bytes},
      {"max_files", import.max_files},
      {"max_classes", import.max_classes},
      {"min_classes", import.min_classes},
      {"min_images_per_class", import.min_images_per_class},
      {"max_dataset_bytes", import.max_total_bytes},
      // Jobs.
      {"max_queued_jobs", jobs.max_queued},
      {"max_job_watches", services::TrainingService::kMaxWatches},
      {"max_health_watches", services::HealthService::kMaxWatches},
      {"max_epochs", jobs::kMaxEpochs},
      {"max_steps", jobs::kMaxSteps},
      {"max_train_batch_size", jobs::kMaxBatchSize},
      {"max_phases", jobs::kMaxPhases},
      {"max_views", jobs::kMaxViews},
      {"max_sweep_combinations", jobs::kMaxSweepCombinations},
      {"max_folds", dataset::kMaxFolds},
      {"max_events_per_job", jobs.max_events_per_job},
      {"max_event_age_days", absl::ToInt64Hours(jobs.max_event_age) / 24},
  };
}

}  // namespace graft
