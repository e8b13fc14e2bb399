/*
 * sanitized: whether this is a build with a sanitizer, whose run time asks for system calls and memory of
 * its own.
 */
#ifndef COMMON_SANITIZED_H
#define COMMON_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#endif
