"""The platform: everything a service needs that knows no business."""
